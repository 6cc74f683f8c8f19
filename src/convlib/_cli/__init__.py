"""The commands of `convlib`.

app        options, help and messages
features   features of pictures, in a table
sources    pictures in folders and arrays
journal    what was computed before the command was interrupted
tables     parquet, csv and npz
filtering  a filter of one picture, or of a folder of them
plan       what a convolution costs
"""
