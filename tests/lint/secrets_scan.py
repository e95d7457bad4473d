"""No key, token or private key in a file of the repository."""
import re

from tree import Problem

PATTERNS = (
    ("an OpenAI or Anthropic key", r"\bsk-(?:[a-z]+-)*[A-Za-z0-9_]{32,}\b"),
    ("a Google key", r"\bAIza[0-9A-Za-z_-]{35}\b"),
    ("an AWS key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a GitHub token", r"\b(?:gh[opsur]_[0-9A-Za-z]{36}|github_pat_\w{60,})\b"),
    ("a GitLab token", r"\bglpat-[0-9A-Za-z_-]{20}\b"),
    ("a Slack token", r"\bxox[abprs]-[0-9A-Za-z-]{20,}\b"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{34}\b"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    # Not one whose signature repeats itself: the corpus holds such, and nobody signs so.
    ("a JSON web token", r"\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.(?!(\w{4})\1{4})[\w-]{20,}"),
    ("a password in a URL", r"\b(?:postgres(?:ql)?|rediss?|https?)://[^\s:/@\"'<>{}$]+:"
                            r"(?!(?:s[e3]cret|password|pass|pw)[\w-]{0,8}@)[^\s/@\"'<>{}$]{6,}@"),
)


def check_text(path, text):
    for what, pattern in PATTERNS:
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            yield Problem(path, line, f"looks like {what}: take it out, and revoke it if it is real")


def check(tree):
    problems = []
    for path in sorted(tree.files):
        problems += check_text(path, tree.files[path])
    return problems
