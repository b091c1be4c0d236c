"use strict";
(() => {
  const SPAN_S = 60; // of the chart
  const MOST_SERIES = 5;
  const SILENCE_MS = 3000; // without a message: the connection is lost
  const STALE_S = 2; // without a frame: the camera is lost; without a label: the one shown grows old
  const MOST_EVENTS = 100;

  const $ = (id) => document.getElementById(id);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

  // All text reaches the page as text, never as HTML.
  const write = (id, text) => { const e = $(id); if (e.textContent !== text) e.textContent = text; };
  const make = (tag, text = "", name = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (name) element.className = name;
    return element;
  };

  const shape = (kind, attributes) => {
    const element = document.createElementNS($("boxes").namespaceURI, kind);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  const seconds = (s) => s === null ? "–" : `${s.toFixed(s < 10 ? 2 : 1)} s`;
  const clock = (s) => {
    const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
    return h ? `${h}:${String(m).padStart(2, "0")}:${String(Math.floor(s % 60)).padStart(2, "0")}`
      : `${m}:${(Math.floor(10 * (s % 60)) / 10).toFixed(1).padStart(4, "0")}`;
  };
  const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  // The connection.

  let link = "connecting";
  let heardAt = performance.now();

  function show(state, words, overPicture = words) {
    link = document.body.dataset.link = state;
    write("link", words);
    write("no-picture", state === "live" && !$("picture").hidden ? "" : overPicture);
  }

  function connect() {
    const source = new EventSource("/events");
    source.onmessage = ({ data }) => {
      heardAt = performance.now();
      const message = JSON.parse(data);
      if (message.ended) source.close();
      take(message);
    };
    source.onerror = async () => {
      if (link === "ended") return;
      show("lost", "Connection lost, trying again");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      const answer = await fetch("/health").catch(() => null);
      if (answer?.status === 401) return show("lost", "Open the address with its token again");
      if (answer) show("lost", "Too many pages are open, trying again");
      await sleep(2000);
      connect();
    };
  }

  setInterval(() => {
    if (link === "live" && performance.now() - heardAt > SILENCE_MS) show("lost", "Connection lost, trying again");
  }, 500);

  // The session's state.

  let points = [];
  let now = null;

  function take(message) {
    if (message.about) begin(message.about);
    for (const [time, scores] of message.points) points.push({ time, scores });
    message.events.forEach(takeEvent);
    now = message.now;
    if (now) points = points.filter(({ time }) => time >= now.time_s - 2 * SPAN_S);
    const silent = message.frame_age_s > STALE_S;
    if (message.ended) show("ended", "The session has ended");
    else if (!silent) show("live", "Live", "Waiting for the first picture");
    else if (now) show("lost", `No frames for ${message.frame_age_s.toFixed(0)} s`);
    else show("connecting", "Waiting for the first frame");
    showLabel(message.label_since_s);
    showPeople();
    showStatus(message.status);
    drawSoon();
  }

  function begin(about) {
    points = [];
    rows.clear();
    $("events").tBodies[0].replaceChildren();
    write("source", about.source);
    write("model", about.model);
    write("weights", about.weights);
    // A network without a rate of its own sees the source's frames, or every so many-th of them.
    const own = about.every > 1 ? `, 1 in ${about.every} of the source` : "";
    write("window", about.rate ? `${about.window} frames at ${Number(about.rate.toFixed(2))} frames/s`
      + ` (${(about.window / about.rate).toFixed(1)} s)` : `${about.window} frames${own}`);
    write("no-action", about.no_action);
    write("people", about.people ?? "");
    $("people-fact").hidden = about.people === null;
    write("zones", about.zones.join(", "));
    $("zones-fact").hidden = about.zones.length === 0;
    document.title = `${about.source} – ActionBench live`;
  }

  function showLabel(since) {
    const decided = now !== null && now.decided;
    const whose = decided && now.person !== null ? ` (person ${now.person})` : "";
    const label = (!decided ? sentence(now?.waiting ?? "waiting for the first window")
      : now.label ?? "No action") + whose;
    const action = decided && now.label !== null;
    write("label", label);
    $("label").classList.toggle("none", !action);
    write("confidence", action ? percent(now.confidence) : "–");
    $("bar").style.width = action ? `${100 * now.confidence}%` : "0";
    write("age", decided ? seconds(now.age_s + (since > STALE_S ? since : 0)) : "–");
    $("overlay").hidden = !decided;
    write("overlay-label", label);
    write("overlay-confidence", action ? percent(now.confidence) : "");
    if (decided) write("spoken", label); // read aloud when it changes, and only then
  }

  // A box for each person, in the picture's own pixels: the drawing is fitted as the picture is.

  function showPeople() {
    const picture = $("picture");
    const [width, height] = [picture.naturalWidth, picture.naturalHeight];
    const people = now?.people ?? [];
    if (!width || !people.length) return $("boxes").replaceChildren();
    $("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
    const pixel = Math.max(width / picture.clientWidth, height / picture.clientHeight); // of the screen
    $("boxes").replaceChildren(...people.map(({ id, box, watched, decided, label, confidence }) => {
      const [x0, y0, x1, y1] = [box[0] * width, box[1] * height, box[2] * width, box[3] * height];
      const group = shape("g", { class: !watched ? "unwatched" : label === null ? "" : "acting" });
      const right = x0 > width / 2; // where a long label would not end within the picture
      const text = shape("text", { x: right ? Math.min(x1, width) - 4 * pixel : Math.max(x0, 0) + 4 * pixel,
        y: Math.max(y0, 0) + 18 * pixel, "text-anchor": right ? "end" : "start", "font-size": 15 * pixel,
        "stroke-width": 3 * pixel });
      text.textContent = !watched ? `${id}` : !decided ? `${id}: waiting`
        : label === null ? `${id}: no action` : `${id}: ${label} ${percent(confidence)}`;
      group.append(shape("rect", { x: x0, y: y0, width: Math.max(x1 - x0, 0), height: Math.max(y1 - y0, 0) }), text);
      return group;
    }));
  }

  function showStatus(status) {
    write("stride", `a label every ${status.stride} frames`);
    write("camera-fps", `${status.camera_fps.toFixed(1)} frames/s`);
    write("processed-fps", `${status.processed_fps.toFixed(1)} frames/s`);
    write("dropped", `${status.dropped} frames`);
    write("reconnects", `${status.reconnects}`);
    write("pace", status.keeps_up ? "Keeps up with the camera" : "Cannot keep up with the camera");
    $("pace").className = status.keeps_up ? "yes" : "no";
    const caveats = status.caveats.map(sentence);
    if (caveats.join("\n") !== [...$("caveats").children].map((e) => e.textContent).join("\n")) {
      $("caveats").replaceChildren(...caveats.map((caveat) => make("li", caveat)));
    }
    const figures = [
      ["Frames of the camera", status.captured], ["Frames processed", status.processed],
      ["Frames not shown", status.unshown], ["Damaged packets", status.damaged],
      ["Labels", status.labels], ["Labels late", status.late],
      ["Age of labels, median", seconds(status.age_p50_s)],
      ["Age of labels, 95th percentile", seconds(status.age_p95_s)],
      ...Object.entries(status.queues).map(([name, length]) => [`Waiting: ${name}`, length]),
      ["Running for", clock(status.uptime_s)],
    ];
    const list = $("figures");
    if (list.children.length !== figures.length) {
      list.replaceChildren(...figures.map(() => {
        const row = make("div");
        row.append(make("dt"), make("dd"));
        return row;
      }));
    }
    figures.forEach(([name, value], i) => {
      const [dt, dd] = list.children[i].children;
      dt.textContent = name;
      dd.textContent = value;
    });
  }

  // Events: the newest first.

  const rows = new Map();
  const STATES = { start: "now", update: "now", end: "ended", cleared: "cleared" };

  function takeEvent(event) {
    let row = rows.get(event.id);
    if (!row) {
      row = make("tr");
      const name = make("th");
      name.scope = "row";
      row.append(name, make("td"), make("td"), make("td"), make("td"));
      row.lastChild.append(make("span"));
      rows.set(event.id, row);
      const body = $("events").tBodies[0];
      body.prepend(row);
      if (rows.size > MOST_EVENTS) {
        const [oldest] = rows.keys();
        rows.get(oldest).remove();
        rows.delete(oldest);
      }
      $("events").hidden = false;
      $("no-events").hidden = true;
    }
    const [name, start, duration, confidence, state] = row.children;
    const where = event.zone === null ? "" : `, ${event.zone}`;
    name.textContent = event.person === null ? event.label : `${event.label} (person ${event.person}${where})`;
    start.textContent = clock(event.start_s);
    duration.textContent = `${(event.until_s - event.start_s).toFixed(1)} s`;
    confidence.textContent = percent(event.confidence);
    state.firstChild.textContent = STATES[event.state];
    state.firstChild.className = `state ${event.state}`;
  }

  // The chart. A class keeps its colour as long as it is among the shown ones.

  let series = Array(MOST_SERIES).fill(null);
  let drawing = false;
  let drawnAt = 0;

  function drawSoon() {
    if (drawing || (calm.matches && performance.now() - drawnAt < 1000)) return;
    drawing = true;
    requestAnimationFrame(() => { drawing = false; drawnAt = performance.now(); draw(); });
  }

  function choose(shown) {
    const most = new Map();
    for (const { scores } of shown) {
      for (const [label, score] of Object.entries(scores)) most.set(label, Math.max(score, most.get(label) ?? 0));
    }
    const wanted = [...most.keys()].sort((a, b) => most.get(b) - most.get(a)).slice(0, MOST_SERIES);
    const before = series.join("\n");
    series = series.map((label) => wanted.includes(label) ? label : null);
    for (const label of wanted) {
      if (!series.includes(label)) series[series.indexOf(null)] = label;
    }
    if (series.join("\n") === before) return;
    $("legend").replaceChildren(...series.flatMap((label, i) => {
      if (label === null) return [];
      const item = make("li");
      item.append(make("i", "", `series-${i}`), make("span", label), make("b"));
      return [item];
    }));
  }

  function draw() {
    if (!now) return;
    const shown = points.filter(({ time }) => time >= now.time_s - SPAN_S);
    choose(shown);
    const canvas = $("chart");
    const [width, height, density] = [canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio || 1];
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    const context = canvas.getContext("2d");
    context.scale(density, density);
    const style = getComputedStyle(canvas);
    const [left, right, top, bottom] = [48, width - 8, 8, height - 24];
    const x = (time) => right - (right - left) * (now.time_s - time) / SPAN_S;
    const y = (score) => bottom - (bottom - top) * score;

    context.font = "12px system-ui, sans-serif";
    context.fillStyle = style.color;
    context.strokeStyle = style.borderTopColor;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const level of [0, 0.5, 1]) {
      context.fillText(percent(level), left - 8, y(level));
      context.beginPath();
      context.moveTo(left, y(level));
      context.lineTo(right, y(level));
      context.stroke();
    }
    context.textBaseline = "bottom";
    for (const [ago, words, align] of [[60, "60 s ago", "left"], [30, "30 s", "center"], [0, "now", "right"]]) {
      context.textAlign = align;
      context.fillText(words, x(now.time_s - ago), height - 2);
    }

    context.lineWidth = 2;
    context.lineJoin = "round";
    const items = [...$("legend").children];
    series.filter((label) => label !== null).forEach((label, i) => {
      context.strokeStyle = getComputedStyle(items[i].firstChild).color;
      context.beginPath();
      shown.forEach(({ time, scores }, k) => {
        const score = scores[label] ?? 0;
        if (k) context.lineTo(x(time), y(score));
        else context.moveTo(x(time), y(score));
      });
      // A label holds until the next one.
      if (shown.length) context.lineTo(right, y(shown.at(-1).scores[label] ?? 0));
      context.stroke();
      const last = shown.at(-1)?.scores[label];
      items[i].lastChild.textContent = last === undefined ? "< 2 %" : percent(last);
    });
  }

  new ResizeObserver(drawSoon).observe($("chart"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);

  // The picture: the next one is asked for when the last has been shown, so that a slow link gets fewer.

  let paused = false;

  $("pause").addEventListener("click", () => {
    paused = !paused;
    write("pause", paused ? "Go on" : "Pause picture");
  });

  async function watch() {
    let number = -1;
    let shownUrl = null;
    while (link !== "ended") {
      if (paused || document.hidden || link === "lost") {
        await sleep(200);
        continue;
      }
      try {
        const answer = await fetch(`/picture?after=${number}`, { signal: AbortSignal.timeout(10000) });
        if (answer.status === 200) {
          const url = URL.createObjectURL(await answer.blob());
          const picture = $("picture");
          picture.src = url;
          await picture.decode();
          picture.hidden = false;
          if (link === "live") write("no-picture", "");
          if (shownUrl) URL.revokeObjectURL(shownUrl);
          shownUrl = url;
          number = answer.headers.get("X-Frame-Number");
        } else if (answer.status !== 204) await sleep(1000);
      } catch {
        await sleep(1000);
      }
    }
  }

  connect();
  watch();
})();
