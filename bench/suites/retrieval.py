"""The retrieval suite: which passage is found first for the questions of bench/retrieval, by
Mainstay's search and by SQLite FTS5 alone, clean and with typing errors; and what the built-in
answerer makes of them. One round: everything is deterministic."""
import http.client
import json
import pathlib
import re
import sqlite3
import sys

from harness import build, servers
from harness.measure import Failed, Figure, Result, failed

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "retrieval"))

import make_set  # noqa: E402  pylint: disable=wrong-import-position

PEERS = []
TOOLS = ""
NEEDS_MAINSTAY = True

COLLECTION = "retrieval"
RANKS = 10
FUSED_K = 60  # of reciprocal rank fusion, as in the paper of Cormack, Clarke and Buettcher (2009)
FUSED_DEPTH = 50
NOT_KNOWN = "I do not know"
RANKERS = {"mainstay": "Mainstay's search", "porter": "FTS5 Porter", "trigram": "FTS5 trigrams",
           "fused": "FTS5 Porter and trigrams fused"}
FORMS = {"question": "clean", "typed": "with typing errors"}
KINDS = ("direct", "paraphrase", "distractor")


def figure_of(ranker, measure, form):
    return Figure(f"{measure}, {FORMS[form]}: {RANKERS[ranker]}", "", None, "the retrieval set")


RANKED = {(r, m, f): figure_of(r, m, f) for f in FORMS for m in ("recall@5", "MRR@10")
          for r in RANKERS}
CITED = {f: Figure(f"answerer cites the right passage, {FORMS[f]}", "", None, "the retrieval set")
         for f in FORMS}
SAID = {f: Figure(f"answerer's text holds the answer, {FORMS[f]}", "", None, "the retrieval set")
        for f in FORMS}
UNKNOWN = {f: Figure(f"answerer rightly does not know, {FORMS[f]}", "", None, "the retrieval set")
           for f in FORMS}
SILENT = {f: Figure(f"answerer wrongly does not know, {FORMS[f]}", "", None, "the retrieval set")
          for f in FORMS}
ANSWERED = [CITED, SAID, UNKNOWN, SILENT]


def figures():
    return [*RANKED.values(), *(figure for group in ANSWERED for figure in group.values())]


# ---- rankers: a question gives ids, the best first

class Fts:
    """Passages in an FTS5 table of one tokenizer; a question is the OR of its tokens."""

    def __init__(self, passages, tokenizer, tokens_of):
        self.tokens_of = tokens_of
        self.link = sqlite3.connect(":memory:")
        self.link.execute("CREATE VIRTUAL TABLE passage USING fts5(id UNINDEXED, title, text, "
                          f"tokenize='{tokenizer}')")
        self.link.executemany("INSERT INTO passage VALUES (?, ?, ?)",
                              [(p["id"], p["title"], p["text"]) for p in passages])

    def rank(self, question, depth=RANKS):
        match = " OR ".join(f'"{token}"' for token in self.tokens_of(question))
        rows = self.link.execute("SELECT id FROM passage WHERE passage MATCH ? ORDER BY "
                                 "bm25(passage), rowid LIMIT ?", (match, depth))
        return [row[0] for row in rows]


def words_of(question):
    return list(dict.fromkeys(re.findall(r"\w+", question.lower())))


def trigrams_of(question):
    found = (word[i:i + 3] for word in words_of(question) for i in range(len(word) - 2))
    return list(dict.fromkeys(found))


class Fused:
    """Reciprocal rank fusion of two rankers."""

    def __init__(self, *rankers):
        self.rankers = rankers

    def rank(self, question):
        score = {}
        for ranker in self.rankers:
            for place, one in enumerate(ranker.rank(question, FUSED_DEPTH), 1):
                score[one] = score.get(one, 0) + 1 / (FUSED_K + place)
        return sorted(score, key=lambda one: (-score[one], one))[:RANKS]


class Mainstay(servers.Mainstay):
    """A server without limits on its callers and without a provider; passages are documents."""

    def command(self):
        return [*super().command(), "--set", "limits.enabled=false", "--set",
                "models.discover=false", "--set", "log.level=warn"]

    def call(self, path, body):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            link.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            reply = link.getresponse()
            text = reply.read()
        finally:
            link.close()
        if reply.status not in (200, 201):
            raise Failed(f"POST {path}: {reply.status} {text[:200]!r}")
        return json.loads(text)

    def fill(self, passages):
        for p in passages:
            self.call("/v1/documents", {"collection": COLLECTION, "source": p["id"],
                                        "title": p["title"], "text": p["text"], "format": "text"})

    def rank(self, question):
        found = self.call("/v1/search", {"query": question, "collection": COLLECTION,
                                         "limit": RANKS})
        return [hit["source"] for hit in found["data"]]

    def answer(self, question):
        """(its text, ids of the passages that it cites)"""
        said = self.call("/chat", {"prompt": question, "collection": COLLECTION})
        return said["response"], [c["source"] for c in said.get("citations", [])]


# ---- figures

def share(hits):
    return sum(hits) / len(hits) if hits else 0.0


def by_kind(questions, values):
    parts = [(kind, [v for q, v in zip(questions, values) if q["kind"] == kind]) for kind in KINDS]
    return ", ".join(f"{kind} {share(found):.3f}" for kind, found in parts)


def ranked(bench, name, ranker, questions):
    out = []
    for form in FORMS:
        recall, reciprocal = RANKED[name, "recall@5", form], RANKED[name, "MRR@10", form]
        if not bench.wants([recall, reciprocal]):
            continue
        places = []
        for q in questions:
            found = ranker.rank(q[form])
            places.append(found.index(q["passage"]) + 1 if q["passage"] in found else 0)
        at5 = [1.0 if 0 < place <= 5 else 0.0 for place in places]
        mrr = [1 / place if place else 0.0 for place in places]
        out += [Result(recall, share(at5), by_kind(questions, at5)),
                Result(reciprocal, share(mrr), by_kind(questions, mrr))]
    return out


def answered(bench, server, known, nothing):
    out = []
    for form in FORMS:
        if not bench.wants([group[form] for group in ANSWERED]):
            continue
        replies = [server.answer(q[form]) for q in known]
        silent = [1.0 if text.startswith(NOT_KNOWN) else 0.0 for text, _ in replies]
        cited = [1.0 if q["passage"] in ids else 0.0 for q, (_, ids) in zip(known, replies)]
        said = [1.0 if q["passage"] in ids and q["answer"] in text else 0.0
                for q, (text, ids) in zip(known, replies)]
        others = [server.answer(q[form])[0] for q in nothing]
        unknown = [1.0 if text.startswith(NOT_KNOWN) else 0.0 for text in others]
        out += [Result(CITED[form], share(cited), by_kind(known, cited)),
                Result(SAID[form], share(said), by_kind(known, said)),
                Result(UNKNOWN[form], share(unknown), f"{len(nothing)} questions"),
                Result(SILENT[form], share(silent), by_kind(known, silent))]
    return out


def run(bench):
    passages, questions = make_set.make()
    known = [q for q in questions if q["passage"]]
    nothing = [q for q in questions if not q["passage"]]
    build.say(f"{len(passages)} passages, {len(known)} questions and {len(nothing)} without answer")
    porter = Fts(passages, "porter unicode61", words_of)
    trigram = Fts(passages, "trigram", trigrams_of)
    results = []
    for name, ranker in (("porter", porter), ("trigram", trigram),
                         ("fused", Fused(porter, trigram))):
        results += ranked(bench, name, ranker, known)
    if bench.wants([f for f in figures() if "Mainstay" in f.name or "answerer" in f.name]):
        try:
            server = Mainstay(bench).start()
            server.fill(passages)
            results += ranked(bench, "mainstay", server, known)
            results += answered(bench, server, known, nothing)
        except Failed as problem:
            results += failed([f for f in figures() if "Mainstay" in f.name], problem)
    order = [figure.name for figure in figures()]
    return bench.wanted(sorted(results, key=lambda r: order.index(r.figure.name)))
