"""Writing one token at a time, sooner: decoders and eight-bit weights, above the model.

`sampling` asks `decoder_for` for the fastest decoder that runs a model as it is, and on a CUDA card
`graphs` for the whole text.
"""
