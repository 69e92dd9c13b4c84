#!/bin/bash
# OpenVINO GenAI, which reads GGUF files itself.
. "$(dirname "$0")/environment.sh"
make_environment openvino
$pip install "openvino-genai==2026.4.1.0"
