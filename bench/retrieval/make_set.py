#!/usr/bin/env python3
"""Writes the retrieval set: `bench/retrieval/make_set.py FOLDER` makes passages.jsonl and
questions.jsonl there, the same bytes every time. docs/retrieval.md says how it is made.

A passage is {"id", "title", "text"}. A question is {"id", "kind", "question", "typed", "passage",
"answer"}: kind is direct, paraphrase, distractor or nothing; "typed" is the question with typing
errors; "passage" is the id of the one passage that answers it, null for "nothing"."""
import json
import pathlib
import random
import sys

import world

ENTITIES = 70  # of each kind
PAIRS = 12     # of them with a twin that differs in its name and its figures alone
ASKED = {"direct": 15, "paraphrase": 15, "distractor": 12}  # of each kind
NOTHING = 20   # of each sort
SEED = 20261121
LONG = 5       # letters; longer words may hold a typing error
ERROR = 0.3
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def capital(text):
    return text[:1].upper() + text[1:]


class Entity:
    """One town, ship, ...: its name, the values of its facts, and how they are said."""

    def __init__(self, rng, kind, name):
        self.kind, self.name, self.twin = kind, name, None
        facts = world.KINDS[kind]["facts"]
        self.values = [[fact[3](rng) for fact in group] for group in facts]
        self.said = [[rng.randrange(len(fact[0])) for fact in group] for group in facts]
        self.passages = []

    def statement(self, group, which):
        fact = world.KINDS[self.kind]["facts"][group][which]
        text = fact[0][self.said[group][which]]
        return capital(text.format(name=self.name, v=self.values[group][which]))


def twin_of(rng, entity):
    """The same texts under another name: other values, and the names told apart by one word."""
    first, second = world.KINDS[entity.kind]["siblings"]
    base = entity.name
    twin = Entity(rng, entity.kind, renamed(second, base))
    entity.name = renamed(first, base)
    twin.said, twin.twin, entity.twin = entity.said, entity, twin
    for group, values in enumerate(twin.values):
        for which, value in enumerate(values):
            while value == entity.values[group][which]:
                value = world.KINDS[entity.kind]["facts"][group][which][3](rng)
            values[which] = value
    return twin


def renamed(pattern, base):
    """"the Grey Otter" with "Old {}" is "the Old Grey Otter"."""
    article = "the " if base.startswith("the ") else ""
    return article + pattern.format(base.removeprefix("the "))


def make_entities(rng):
    out = []
    for kind, facts in world.KINDS.items():
        taken, made = set(), []
        while len(made) < ENTITIES:
            name = facts["names"](rng).strip()
            if name in taken:
                continue
            taken.add(name)
            made.append(Entity(rng, kind, name))
            if len(made) <= PAIRS * 2:
                made.append(twin_of(rng, made[-1]))
        out += made
    return out


def passage_text(rng, entities, entity, group, colour):
    """The two facts among three sentences of colour, in an order of their own."""
    sentences = [entity.statement(group, which) for which in (0, 1)]
    for text in colour:
        others = [one for one in entities if one.kind in ("town", "inn") and one.twin is None]
        other = rng.choice(others).name
        sentences.append(text.format(other=other, someone=rng.choice(world.PEOPLE)))
    order = list(range(1, len(sentences)))
    rng.shuffle(order)
    return " ".join(sentences[i] for i in [0, *order])


def make_passages(rng, entities):
    out = []
    for entity in entities:
        for group in range(3):
            if entity.twin is not None and entity.twin.passages[group:group + 1]:
                text = entity.twin.passages[group]["text"]  # the twin's, with what is ours put in
                text = text.replace(capital(entity.twin.name), capital(entity.name))
                text = text.replace(entity.twin.name, entity.name)
                for which in (0, 1):
                    text = text.replace(entity.twin.statement(group, which),
                                        entity.statement(group, which))
                    text = text.replace(
                        swapped(entity.twin, entity, group, which), entity.statement(group, which))
            else:
                colour = rng.sample(world.KINDS[entity.kind]["colour"], 3)
                text = passage_text(rng, entities, entity, group, colour)
            passage = {"id": f"p{len(out):04d}", "title": capital(entity.name), "text": text}
            entity.passages.append(passage)
            out.append(passage)
    return out


def swapped(of, name_of, group, which):
    """A statement of one entity under the other's name."""
    fact = world.KINDS[of.kind]["facts"][group][which]
    text = fact[0][of.said[group][which]]
    return capital(text.format(name=name_of.name, v=of.values[group][which]))


def typed(rng, question):
    """One slip in every long word with the probability ERROR: two letters swapped, one left out, one
    twice, or the key beside it."""
    words = []
    for word in question.split(" "):
        letters = word.rstrip("?,")
        if len(letters) > LONG and letters.isalpha() and rng.random() < ERROR:
            at = rng.randrange(1, len(letters) - 1)
            slip = rng.randrange(4)
            if slip == 0:
                letters = letters[:at] + letters[at + 1] + letters[at] + letters[at + 2:]
            elif slip == 1:
                letters = letters[:at] + letters[at + 1:]
            elif slip == 2:
                letters = letters[:at] + letters[at] + letters[at:]
            else:
                row = next((row for row in ROWS if letters[at].lower() in row), ROWS[0])
                beside = row[(row.find(letters[at].lower()) + 1) % len(row)]
                letters = letters[:at] + beside + letters[at + 1:]
            word = letters + word[len(word.rstrip("?,")):]
        words.append(word)
    return " ".join(words)


def ask(rng, entity, kind):
    group, which = rng.randrange(3), rng.randrange(2)
    fact = world.KINDS[entity.kind]["facts"][group][which]
    form = rng.choice(fact[2]) if kind == "paraphrase" else fact[1]
    return {"kind": kind, "question": form.format(name=entity.name),
            "passage": entity.passages[group]["id"], "answer": entity.values[group][which]}


def ask_nothing(rng, entities):
    out = list(world.OUTSIDE[:NOTHING])
    while len(out) < 2 * NOTHING:
        entity = rng.choice([one for one in entities if one.twin is None])
        question = rng.choice(world.MISSING[entity.kind]).format(name=entity.name)
        if question not in out:
            out.append(question)
    while len(out) < 3 * NOTHING:
        kind = rng.choice(list(world.KINDS))
        name = world.KINDS[kind]["names"](rng)
        known = next(word for word in name.split() if word[0].isupper())
        name = name.replace(known, rng.choice(world.NOWHERE)).strip()
        fact = rng.choice(rng.choice(world.KINDS[kind]["facts"]))
        question = fact[1].format(name=name)
        if question not in out:
            out.append(question)
    return [{"kind": "nothing", "question": q, "passage": None, "answer": None} for q in out]


def make_questions(rng, entities):
    out = []
    for kind in world.KINDS:
        mine = [one for one in entities if one.kind == kind]
        for sort, count in ASKED.items():
            pool = [one for one in mine if (one.twin is not None) == (sort == "distractor")]
            seen = set()
            while len(seen) < count:
                question = ask(rng, rng.choice(pool), sort)
                if question["question"] not in seen:
                    seen.add(question["question"])
                    out.append(question)
    out += ask_nothing(rng, entities)
    for number, question in enumerate(out):
        question["id"] = f"q{number:03d}"
        question["typed"] = typed(rng, question["question"])
    return out


def check(passages, questions):
    """What the set promises; an AssertionError when an edit of the templates broke it."""
    by_id = {p["id"]: p for p in passages}
    assert len(passages) >= 1000 and len({p["text"] for p in passages}) == len(passages)
    assert len({q["question"] for q in questions}) == len(questions)
    known = [q for q in questions if q["passage"]]
    assert len(known) >= 200 and len(questions) - len(known) >= 60
    for q in known:
        right = by_id[q["passage"]]
        assert q["answer"] in right["text"], (q, right)
        assert right["title"].lower() in q["question"].lower(), (q, right)


def make():
    """(passages, questions)."""
    rng = random.Random(SEED)
    entities = make_entities(rng)
    passages = make_passages(rng, entities)
    questions = make_questions(rng, entities)
    check(passages, questions)
    return passages, questions


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in zip(("passages", "questions"), make()):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as out:
            for item in items:
                out.write(json.dumps(item, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
