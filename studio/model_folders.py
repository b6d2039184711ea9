"""Folders with models outside the Home: they are kept in the settings, and read again whenever models are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flet as ft
import msgspec

from engine.core.errors import StudioError
from engine.plan.models import BaseModel, FoundModels, UnusableModel
from studio.hooks import use_engine, use_session, use_topic

if TYPE_CHECKING:
    from engine.engine import Engine
    from studio.session import Session


def keep_folder(engine: Engine, session: Session, model: BaseModel) -> None:
    """Offer a model and keep its folder for later; one that is listed anyway is only offered."""
    session.offer_model(model)
    settings = engine.settings.value
    if model.path in settings.model_folders or any(model.path == each.path for each in engine.planning.models().models):
        return
    engine.save_settings(msgspec.structs.replace(settings, model_folders=(*settings.model_folders, model.path)))


def forget_folder(engine: Engine, session: Session, path: str) -> None:
    """List it no longer; nothing in the folder is touched."""
    settings = engine.settings.value
    kept = tuple(each for each in settings.model_folders if each != path)
    engine.save_settings(msgspec.structs.replace(settings, model_folders=kept))
    session.folders.set(tuple(each for each in session.folders.value if each.path != path))


def use_folders() -> FoundModels:
    """The models in folders that were named, in this session or before, and those that cannot be read any more."""
    engine, session = use_engine(), use_session()
    paths = use_topic(engine.settings, every=0.0).model_folders
    named = use_topic(session.folders, every=0.0)
    kept = ft.use_memo(lambda: _read(engine, paths), [paths])
    here = {each.path for each in kept.models}
    models = (*kept.models, *(each for each in named if each.path not in here))
    return FoundModels(models=models, unusable=kept.unusable)


def _read(engine: Engine, paths: tuple[str, ...]) -> FoundModels:
    models: list[BaseModel] = []
    unusable: list[UnusableModel] = []
    for path in paths:
        try:
            models.append(engine.planning.model(path))
        except StudioError as error:
            unusable.append(UnusableModel(path=path, name=path, card=error.card))
    return FoundModels(models=tuple(models), unusable=tuple(unusable))
