"""The tokenizer of ChatGLM2, ChatGLM3 and CodeGeeX2, from its SentencePiece model file.

SentencePiece BPE with byte fallback; behind its pieces stand [MASK] [gMASK] [sMASK] sop eop, in
this order, and every prompt begins with `[gMASK] sop`. ChatGLM3's role tokens are taken from
`tokenizer_config.json` where that lists them. Source: the ChatGLM2 and ChatGLM3 tokenizer code.
SentencePiece merges the pair whose union has the best score, the leftmost first; merges in that
order do the same (checked against the sentencepiece package, see the tests' data).
"""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE

from glm_codegen.models.converted_tokenizer import ConvertedTokenizer, ids_of, with_gaps_filled
from glm_codegen.models.sentencepiece_model import Piece, PieceKind, SentencePieceModel

_APPENDED = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")
_SPACE = "\u2581"  # how SentencePiece writes a space


def chatglm_tokenizer(model: SentencePieceModel, listed: Mapping[int, str]) -> ConvertedTokenizer:
    """Build it; `listed` are the control tokens that tokenizer_config.json names, by id.

    Raises ValueError where the model is of a kind that cannot be reproduced exactly, or a
    control token stands at another id than it must.
    """
    _check(model)
    count = len(model.pieces)
    appended = {count + i: name for i, name in enumerate(_APPENDED)}
    for index, name in listed.items():
        expected = appended.get(index) or (model.pieces[index].text if index < count else name)
        if name != expected:
            raise ValueError(f"tokenizer_config.json has {name} at {index}, where {expected} is")
    appended |= {index: name for index, name in listed.items() if index >= count}
    tokenizer = Tokenizer(
        BPE(
            vocab={_vocabulary_text(p, i): i for i, p in enumerate(model.pieces)},
            merges=_merges(model.pieces),
            unk_token=model.pieces[model.unknown_id].text,
            fuse_unk=True,
            byte_fallback=model.byte_fallback,
        )
    )
    tokenizer.normalizer = _normalizer(model)
    tokenizer.decoder = _decoder(model)
    control = [p.text for p in model.pieces if p.kind in (PieceKind.CONTROL, PieceKind.UNKNOWN)]
    names = [*control, *with_gaps_filled(appended, count)]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in names])
    tokenizer.add_tokens(
        [
            AddedToken(p.text.replace(_SPACE, " "), normalized=False, special=False)
            for p in model.pieces
            if p.kind is PieceKind.USER_DEFINED and " " not in p.text
        ]
    )
    ids = ids_of(tokenizer, names)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[gMASK] sop $A",
        pair="[gMASK] sop $A $B",
        special_tokens=[(name, ids[name]) for name in ("[gMASK]", "sop")],
    )
    unknown = model.pieces[model.unknown_id].text
    return ConvertedTokenizer(
        kind="SentencePiece BPE",
        tokenizer=tokenizer,
        special_ids=ids,
        begin=model.pieces[model.begin_id].text if model.begin_id >= 0 else None,
        end=model.pieces[model.end_id].text,
        pad=model.pieces[model.pad_id].text if model.pad_id >= 0 else unknown,
        unknown=unknown,
    )


def _check(model: SentencePieceModel) -> None:
    if not model.is_bpe:
        raise ValueError("its SentencePiece model is not BPE")
    if model.space_is_suffix or not model.escapes_spaces:
        raise ValueError("its SentencePiece model writes spaces in another way than ChatGLM's")
    count = len(model.pieces)
    roles = {"unknown": model.unknown_id, "end": model.end_id}
    for role, index in roles.items():
        if not 0 <= index < count:
            raise ValueError(f"its SentencePiece model has no {role} token")
    if model.begin_id >= count or model.pad_id >= count:
        raise ValueError("its SentencePiece model has a control token beyond its pieces")
    defined = [piece.text for piece in model.pieces if piece.kind is PieceKind.USER_DEFINED]
    if defined and model.adds_dummy_prefix:
        # tokenizers would put the dummy space behind each of them too
        raise ValueError(f"its user-defined pieces (as {defined[0]!r}) cannot be kept exact")


def _vocabulary_text(piece: Piece, index: int) -> str:
    """Its text; a piece that no text can become gets a name that no text merges into.

    Text is matched after its spaces were written anew, so a piece with a plain space never is.
    """
    if piece.kind is PieceKind.USER_DEFINED and " " not in piece.text:
        return piece.text.replace(_SPACE, " ")
    if piece.kind in (PieceKind.UNUSED, PieceKind.USER_DEFINED):
        return f"<|unused_{index}|>"
    return piece.text


def _merges(pieces: tuple[Piece, ...]) -> list[tuple[str, str]]:
    """Every way to halve a piece into two others, the best scored union first."""
    normal = {piece.text: i for i, piece in enumerate(pieces) if piece.kind is PieceKind.NORMAL}
    ranked = sorted(normal.items(), key=lambda item: (-pieces[item[1]].score, item[1]))
    return [
        (text[:cut], text[cut:])
        for text, _ in ranked
        for cut in range(1, len(text))
        if text[:cut] in normal and text[cut:] in normal
    ]


def _normalizer(model: SentencePieceModel) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = []
    if model.character_map:
        steps.append(normalizers.Precompiled(model.character_map))
    if model.removes_extra_spaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    if model.adds_dummy_prefix:
        steps.append(normalizers.Prepend(_SPACE))
    steps.append(normalizers.Replace(" ", _SPACE))
    return normalizers.Sequence(steps)


def _decoder(model: SentencePieceModel) -> decoders.Decoder:
    steps: list[decoders.Decoder] = [
        decoders.Replace(_SPACE, " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
    ]
    if model.adds_dummy_prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(steps)
