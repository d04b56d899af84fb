#!/bin/sh
# A file is of interest as long as it has an nn.exp.
grep -q 'nn\.exp' "$1" && exit 1
exit 0
