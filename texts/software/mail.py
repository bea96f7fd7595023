"""Sends each message through mail and text tools of Python and Debian: as it travels, and as it is read again. JSON lines in, JSON lines out."""

import email
import email.message
import email.mime.text
import email.policy
import json
import quopri
import subprocess
import sys
import textwrap
from importlib.metadata import version

import mailparser
import rich.console
import rich.markdown

PYTHON = ".".join(sys.version.split(".")[:2])


def message(text, policy=email.policy.SMTP, **content):
    mail = email.message.EmailMessage(policy=policy)
    mail.set_content(text, **content)
    return mail.as_bytes()


def body(raw):
    return email.message_from_bytes(raw, policy=email.policy.default).get_content()


def subject(text):
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = " ".join(text.split())
    mail.set_content("See above.")
    return mail.as_bytes()



def tool(*command):
    return lambda text: subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout.decode()


def terminal(text):
    console = rich.console.Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(rich.markdown.Markdown(text))
    return capture.get()




MAILS = {
    ("email", PYTHON): message,
    ("email quoted-printable", PYTHON): lambda text: message(text, cte="quoted-printable"),
    ("email quoted-printable 40", PYTHON): lambda text: message(text, email.policy.SMTP.clone(max_line_length=40), cte="quoted-printable"),
    ("email base64", PYTHON): lambda text: message(text, cte="base64"),
    ("email Subject", PYTHON): subject,
    ("email MIMEText", PYTHON): lambda text: email.mime.text.MIMEText(text).as_bytes(),
    ("email quoted-printable, read again", PYTHON): lambda text: body(message(text, cte="quoted-printable")),
    ("email base64, read again", PYTHON): lambda text: body(message(text, cte="base64")),
    ("email Subject, read again", PYTHON): lambda text: str(email.message_from_bytes(subject(text), policy=email.policy.default)["Subject"]),
    ("email Subject, read by compat32", PYTHON): lambda text: str(email.message_from_bytes(subject(text))["Subject"]),
    ("mail-parser", version("mail-parser")): lambda text: mailparser.parse_from_bytes(message(text, cte="quoted-printable")).body,
    ("quopri", PYTHON): lambda text: quopri.encodestring(text.encode()),
    ("quopri quotetabs", PYTHON): lambda text: quopri.encodestring(text.encode(), quotetabs=True),
    ("textwrap 72", PYTHON): lambda text: textwrap.fill(text, 72),
    ("textwrap 72 whole words", PYTHON): lambda text: textwrap.fill(text, 72, break_long_words=False),
    ("textwrap 30", PYTHON): lambda text: textwrap.fill(text, 30),
    ("textwrap 72, quoted twice", PYTHON): lambda text: textwrap.indent(textwrap.fill(text, 72), "> > "),
    ("textwrap 72, indented", PYTHON): lambda text: textwrap.fill(text, 72, initial_indent="    ", subsequent_indent="    "),
    ("textwrap shorten", PYTHON): lambda text: textwrap.shorten(text, 60, placeholder="…"),
    ("rich 80", version("rich")): terminal,
    ("fold 76", "coreutils"): tool("fold", "--width=76"),
    ("fold 76 spaces", "coreutils"): tool("fold", "--spaces", "--width=76"),
    ("fmt 72", "coreutils"): tool("fmt", "--width=72"),
    ("fmt 72 prefix", "coreutils"): lambda text: tool("fmt", "--width=72", "--prefix=> ")("".join(f"> {line}" for line in text.splitlines(True))),
}
PAGES = {
    ("w3m 80", "Debian 12"): tool("w3m", "-dump", "-cols", "80", "-T", "text/html", "-I", "UTF-8", "-O", "UTF-8"),
    ("lynx 80", "Debian 12"): tool("lynx", "-dump", "-stdin", "-width=80", "-assume_charset=utf-8", "-display_charset=utf-8"),
}

for given in map(json.loads, sys.stdin):
    for (name, number), run in {"mail": MAILS, "page": PAGES}.get(given["sort"], {}).items():
        try:
            text = run(given["text"])
            output = {"text": text.decode() if isinstance(text, bytes) else text}
        except Exception as error:
            output = {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps({**given, "software": name, "version": number, **output}))
