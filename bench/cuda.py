"""Whether there is a CUDA device to measure on."""

import numpy as np

from service.device import TRIAL_MODEL
from shared.errors import SessionError
from shared.session import open_session


def why_no_cuda() -> str:
    """Why nothing can be measured on one; "" where one has just computed something."""
    try:
        session = open_session(TRIAL_MODEL, provider="cuda")
        session.run(np.ones((1, 1, 1, 1), np.float32), session.output_names)
    except SessionError as error:
        return str(error)
    return ""
