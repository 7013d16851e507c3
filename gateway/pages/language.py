"""Which language a page speaks: Chinese, as it is written here, or English, by the catalogue in translations/."""

import io
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, request
from flask_babel import Babel, Domain, get_locale

LANGUAGES = {"zh": "中文", "en": "English"}
COOKIE = "huying-language"
CATALOGUES = Path(__file__).parents[1] / "translations"


def N_(text: str) -> str:
    """Mark a text that is translated where it is shown."""
    return text


def tongue() -> str:
    """Give ``zh`` or ``en``: as chosen here, else as the browser would rather have it, else Chinese."""
    chosen = request.cookies.get(COOKIE)
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(list(LANGUAGES), default="zh")


def catalogue(language: str) -> NullTranslations:
    """Read one catalogue as people edit it; what is compiled lies nowhere."""
    file = CATALOGUES / language / "LC_MESSAGES" / "messages.po"
    if not file.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with file.open("rb") as text:
        write_mo(compiled, read_po(text, locale=language))
    compiled.seek(0)
    return Translations(compiled)


class Catalogues(Domain):
    """Both catalogues of one application, read once."""

    def __init__(self):
        super().__init__()
        self.read = {language: catalogue(language) for language in LANGUAGES}

    def get_translations(self) -> NullTranslations:
        """Give the catalogue of this request."""
        return self.read.get(str(get_locale()).partition("_")[0], self.read["zh"])


def speak(app: Flask) -> None:
    """Let the pages of an application be translated."""
    babel = Babel(app, default_locale="zh", default_timezone="Asia/Shanghai", locale_selector=tongue)
    babel.domain_instance = Catalogues()
