"""What Hara's 3D ResNets and ResNeXts have in common."""
