"""Online augmentation: the filters, how they are drawn, the crop and the jitter of the training windows."""
