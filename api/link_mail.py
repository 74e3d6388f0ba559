"""The e-mail with a link to log in with, in the language of who asked.

Comes in: the language, addresses, the link. Goes out: a message. Pure. Must never hold anything of a person.
"""

from email.message import EmailMessage
from typing import Final

WORDS: Final = {
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


def link_mail(language: str, sender: str, recipient: str, link: str) -> EmailMessage:
    """The message; an unknown language is English."""
    subject, text = WORDS.get(language, WORDS["en"])
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text.format(link=link))
    return message
