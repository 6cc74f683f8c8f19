"""Networks in ONNX files. Public as `convlib.io`.

tensors    weights read from a file that is not trusted
reading    the graph of a model as layers
writing    layers as the graph of a model
package    the package onnx, which is loaded when a file is read or written
"""
