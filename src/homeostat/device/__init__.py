"""A release that predicts on a device: no Homeostat, no network, no tables beside it.

``flat_trees`` reads LightGBM's trees as arrays; ``onnx_models`` writes a model as ONNX; ``blind`` says which features a
device cannot know, and what that costs; ``runner`` and ``page`` go with the models as they are; ``export`` writes the
folder and tries it. May import: releases, training, features, models, project, core, adapters.
"""
