"""LiteLLM: a proxy before language models, of which one here answers by itself and one cannot be reached."""

import os
import tempfile

CONFIG = """
model_list:
  - model_name: echo
    litellm_params: {model: openai/echo, api_key: none, mock_response: "Shields up."}
  - model_name: away
    litellm_params: {model: openai/away, api_key: none, api_base: "http://127.0.0.1:9", max_retries: 0}
litellm_settings: {num_retries: 0}
general_settings: {master_key: sk-mantlet-tests}
"""

folder = tempfile.mkdtemp()
with open(os.path.join(folder, "config.yaml"), "w") as file:
    file.write(CONFIG)
os.environ.update(
    CONFIG_FILE_PATH=os.path.join(folder, "config.yaml"),
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    LITELLM_LOG="ERROR",
    NO_DOCS="False",
)

from litellm.proxy.proxy_server import app
