"""The HTTP routes, one file a group. A new group is one file and one line here."""

from __future__ import annotations

from fastapi import APIRouter

from glm_daemon.routes.control import control_routes
from glm_daemon.routes.engine import engine_routes
from glm_daemon.routes.fine_tuning import fine_tuning_routes
from glm_daemon.routes.health import health_routes
from glm_daemon.routes.metrics import metrics_routes
from glm_daemon.routes.models import models_routes
from glm_daemon.routes.openai import openai_routes
from glm_daemon.routes.openai_chat import openai_chat_routes
from glm_daemon.routes.openai_images import openai_images_routes


def all_routers() -> list[APIRouter]:
    """Every group's router, freshly made."""
    return [
        health_routes(),
        metrics_routes(),
        models_routes(),
        engine_routes(),
        openai_routes(),
        openai_images_routes(),
        fine_tuning_routes(),
        openai_chat_routes(),
        control_routes(),
    ]
