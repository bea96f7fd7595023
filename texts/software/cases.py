"""The bases and the messages. `{LINK}` stands for a link or for the QR text."""

ONION = "b6geeakpwskovltbesvy3b6ah3ewxfmnhnshojndmpp7wcv2df7bnead.onion"

BASES = {
    "plain": "https://example.org/p",
    "no path": "https://example.org",
    "slash": "https://example.org/",
    "port": "https://example.org:8443/p",
    "hyphen in host": "https://my-port.example.org/p",
    "two hyphens": "https://my--port.example.org/p",
    "underscore in host": "https://my_port.example.org/p",
    "user name": "https://alice@example.org/p",
    "final dot": "https://example.org./p",
    "one label": "https://localhost/p",
    "unknown TLD": "https://example.internal/p",
    "IPv4": "https://192.0.2.1/p",
    "IPv6": "https://[2001:db8::1]/p",
    "onion": f"http://{ONION}/p",
    "upper case": "HTTPS://EXAMPLE.ORG/P",
    "punycode": "https://xn--bcher-kva.example.org/p",
    "punycode TLD": "https://example.xn--p1ai/p",
    "IDN": "https://bücher.example.org/p",
    "query": "https://example.org/p?lang=en",
    "query with &": "https://example.org/p?lang=en&copy=1",
    "query with []": "https://example.org/p?lang[]=en",
    "long path": "https://example.org/" + "a/port/" * 30,
    "hyphen in path": "https://example.org/my-port",
    "two slashes": "https://example.org//p",
    "underscores": "https://example.org/_p_",
    "stars": "https://example.org/*p*",
    "tildes": "https://example.org/~~p~~",
    "brackets": "https://example.org/p(1)",
    "open bracket": "https://example.org/p(1",
    "apostrophe": "https://example.org/o'p",
    "percent": "https://example.org/a%20p",
    "percent slash": "https://example.org/a%2Fp",
    "at": "https://example.org/@p",
    "colon": "https://example.org/p:1",
    "semicolon": "https://example.org/p;v=1",
    "dollar": "https://example.org/$p",
    "exclamation": "https://example.org/p!",
    "stop": "https://example.org/p.",
    "comma": "https://example.org/p,",
}

MESSAGES = {
    "bare": "{LINK}",
    "lines": "Hi Bob,\nmy Port:\n{LINK}\nAlice",
    "stop": "My Port: {LINK}.",
    "comma": "My Port is {LINK}, take it",
    "colon": "{LINK}: my Port",
    "semicolon": "{LINK}; my Port",
    "exclamation": "Take {LINK}!",
    "question": "Did you get {LINK}?",
    "three dots": "{LINK}...",
    "ellipsis": "{LINK}…",
    "dash": "{LINK}—my Port",
    "round": "My Port ({LINK})",
    "round stop": "(My Port: {LINK}).",
    "square": "My Port [{LINK}]",
    "curly": "My Port {{LINK}}",
    "angle": "My Port <{LINK}>",
    "quotes": 'My Port "{LINK}"',
    "apostrophes": "My Port '{LINK}'",
    "curved": "My Port “{LINK}”",
    "German": "Mein Port „{LINK}“",
    "French": "Mon Port «{LINK}»",
    "corners": "端口「{LINK}」",
    "CJK stop": "我的端口:{LINK}。",
    "CJK comma": "端口{LINK},收到吗",
    "CJK behind": "{LINK}请看",
    "CJK around": "请看{LINK}这里",
    "emoji": "{LINK}🙂",
    "letters before": "Port:{LINK}",
    "equals before": "port={LINK}",
    "bold": "**{LINK}**",
    "star": "*{LINK}*",
    "underscore": "_{LINK}_",
    "strike": "~~{LINK}~~",
    "spoiler": "||{LINK}||",
    "code": "`{LINK}`",
    "table": "| a | b |\n|---|---|\n| {LINK} | c |",
    "Markdown link": "[Port]({LINK})",
    "Markdown reference": "My [Port][1]\n\n[1]: {LINK}",
    "BBCode": "[url]{LINK}[/url]",
    "BBCode named": "[url={LINK}]Port[/url]",
    "twice": "{LINK} {LINK}",
    "twice tight": "{LINK}{LINK}",
}

# For every base; the others are for the plain base and for the QR text.
FEW_MESSAGES = {
    name: MESSAGES[name] for name in ("bare", "stop", "round", "angle", "underscore", "bold", "CJK stop", "Markdown link")
}

# For Markdown that makes no links of bare addresses.
MARKDOWNS = {name: MESSAGES[name] for name in ("angle", "Markdown link", "Markdown reference")}

# For software that reads HTML.
PAGES = {
    "anchor": '<p>My <a href="{LINK}">Port</a>.</p>',
    "anchor with text": '<p>Hi Bob, this is my Port for you: <a href="{LINK}">{LINK}</a></p>',
    "paragraph": "<p>Hi Bob, this is my Port for you: {LINK}</p>",
}

MAILS = {
    "mail": "Hi Bob,\n\nthis is my Port for you: {LINK}\n\nIt is good for one use.\n-- \nAlice\n",
    "mail own line": "Hi Bob,\n\n{LINK}\n\nAlice\n",
    "mail with ü": "Grüße!\n\nMein Port: {LINK}\n",
}

BARE = {"bare": "{LINK}"}

QR_BASES = ("QR text", "plain", "port", "upper case", "onion", "IPv6", "IDN", "query", "long path")
