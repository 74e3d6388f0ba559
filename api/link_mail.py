"""The e-mails with a link to log in with, in the language of who asked: by oneself, or by an admin for somebody.

Comes in: the language, addresses, the link. Goes out: a message. Pure. Must never hold anything of a person.
"""

from email.message import EmailMessage
from typing import Final

Words = dict[str, tuple[str, str]]
WORDS: Final[Words] = {
    "en": (
        "Your link to log in to Referral Exchange",
        "Open this link within 15 minutes to log in. It works once.\n\n{link}\n\n"
        "If you did not ask for it, do nothing: nobody gets in without it.\n",
    ),
    "es": (
        "Su enlace para entrar en Referral Exchange",
        "Abra este enlace dentro de 15 minutos para entrar. Sirve una vez.\n\n{link}\n\n"
        "Si usted no lo pidió, no haga nada: nadie entra sin él.\n",
    ),
}
INVITED: Final[Words] = {
    "en": (
        "You can log in to Referral Exchange",
        "The administrator of your organization has set up how you log in.\n\n"
        "Open this link within 12 hours. It works once.\n\n{link}\n\n"
        "Every other time, have a new link sent to this address:\n\n{again}\n",
    ),
    "es": (
        "Usted puede entrar en Referral Exchange",
        "La administración de su organización preparó su entrada.\n\n"
        "Abra este enlace dentro de 12 horas. Sirve una vez.\n\n{link}\n\n"
        "Las demás veces, pida un enlace nuevo a esta dirección:\n\n{again}\n",
    ),
}


def link_mail(language: str, sender: str, recipient: str, link: str) -> EmailMessage:
    """The message that somebody asked for; an unknown language is English."""
    return _message(WORDS.get(language, WORDS["en"]), sender, recipient, link)


def invitation(language: str, sender: str, recipient: str, link: str) -> EmailMessage:
    """The message to somebody whom an admin has added or reset."""
    return _message(INVITED.get(language, INVITED["en"]), sender, recipient, link)


def _message(words: tuple[str, str], sender: str, recipient: str, link: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, words[0]
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words[1].format(link=link, again=link.rpartition("/")[0]))
    return message
