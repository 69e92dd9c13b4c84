#!/bin/bash
# llama.cpp by llama-cpp-python, compiled for this processor (a C++ compiler and cmake are needed; minutes).
. "$(dirname "$0")/environment.sh"
make_environment llama.cpp
CMAKE_ARGS="${CMAKE_ARGS:--DGGML_NATIVE=ON}" $pip install "llama-cpp-python==0.3.36"
