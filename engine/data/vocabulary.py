"""The usual names of columns by role, in several languages. A name counts whole or by one of its words.

`customerMessage`, `Customer Message` and `customer_message` are the same two words; accents make no difference.
"""

from __future__ import annotations

import re
import unicodedata

from engine.data.nouns import RoleName


def _names(listed: str) -> tuple[str, ...]:
    return tuple(plain(each) for each in listed.split())


def plain(name: str) -> str:
    """Without case, accents and full-width forms."""
    spread = unicodedata.normalize("NFKD", name).casefold()
    return unicodedata.normalize("NFKC", "".join(each for each in spread if not unicodedata.combining(each)))


MESSAGES = _names("messages conversations conversation chat dialog dialogue turns items 对话 会話 대화")
NAMES: dict[RoleName, tuple[str, ...]] = {
    "messages": MESSAGES,
    "system": _names("system system_prompt system_message persona 系统 系统提示 システム 시스템"),
    "instruction": _names(
        "instruction prompt question query user request problem task human customer ask source src premise ctx "
        "inquiry enquiry utterance q frage anweisung aufgabe anfrage nutzer consigne requete pregunta instruccion "
        "consulta pergunta instrucao solicitacao domanda istruzione richiesta vraag opdracht fraga fråga sporsmal "
        "pytanie polecenie otazka soru talimat вопрос инструкция запрос 问题 问 提问 指令 用户 問題 質問 "
        "指示 질문 지시 지시문 سؤال प्रश्न"
    ),
    "input": _names(
        "input context passage background reference knowledge document eingabe kontext hintergrund entree contexte "
        "entrada contexto ingresso contesto invoer girdi baglam ввод контекст 输入 上下文 背景 入力 文脈 입력 문맥"
    ),
    "output": _names(
        "output answer response completion reply assistant bot agent target tgt summary solution chosen translation "
        "result gpt generation expected ideal highlights resolution a answer_key answerkey antwort ausgabe "
        "zusammenfassung losung reponse sortie resume respuesta salida resumen resposta saida resumo risposta uscita "
        "riassunto antwoord uitvoer svar odpowiedz odpoved cevap yanit cikti ответ вывод 回答 答案 答复 答 输出 摘要 "
        "答え 応答 出力 要約 답변 응답 출력 대답 جواب إجابة उत्तर"
    ),
    "chosen": _names("chosen preferred accepted winner win positive_response response_chosen chosen_response"),
    "rejected": _names(
        "rejected dispreferred loser lose negative_response response_rejected rejected_response non_preferred"
    ),
    "label": _names(
        "label category class sentiment intent topic tag priority rating emotion kto_tag desirable kategorie klasse "
        "etikett stimmung etiquette categorie classe etiqueta categoria rotulo etichetta labels kategori метка класс "
        "категория 标签 类别 分类 ラベル 分類 カテゴリ 라벨 분류"
    ),
    "text": _names(
        "text content document article body sentence review ticket comment description message passage paragraph "
        "story poem post tweet email abstract texte texto testo tekst metin inhalt nachricht artikel contenu "
        "contenido conteudo текст 文本 内容 文章 本文 テキスト 텍스트 본문"
    ),
    "group": _names(
        "group group_id conversation_id thread_id session_id dialog_id dialogue_id user_id customer_id author_id "
        "document_id patient_id"
    ),
    "ignored": _names("id idx index uuid row_id date time timestamp created_at url score split fold"),
}
FLAGS = _names(
    "label kto_tag desirable desired rating liked like good thumbs thumb feedback is_good preferred accepted"
)
CHOICES = _names("choices options candidates endings alternatives answers antworten opciones 选项 選択肢")
LETTERED = re.compile(r"(?:(?:choice|option|opt|answer|ans|opa|ending|op)_?)?([a-h]|[0-9])")
HISTORY = _names("history past past_turns previous_turns 历史")
SPLIT_NAMES = _names("split fold partition subset set")
WHOLE, PART = 0.95, 0.75
"""Confidence from a name that is in the table, and from one with a word that is."""


def words_of(name: str) -> list[str]:
    """The words of a name, plain."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return [word for word in re.split(r"[\W_]+", plain(spaced)) if word]


def joined_name(name: str) -> str:
    """The words of a name with underscores between them."""
    return "_".join(words_of(name))


def roles_of_name(name: str) -> dict[RoleName, float]:
    """The roles a column's name speaks for, each with its confidence."""
    words = words_of(name)
    joined = "_".join(words)
    found: dict[RoleName, float] = {}
    for role, names in NAMES.items():
        if joined in names or joined.removesuffix("s") in names:
            found[role] = WHOLE
        elif any(len(word) > 1 and (word in names or word.removesuffix("s") in names) for word in words):
            found[role] = PART
    if "group" in found and found["group"] < WHOLE:
        del found["group"]  # “user message” is no group
    return found


def is_known(name: str) -> bool:
    """The whole name is one that columns usually have."""
    return len(name) <= 48 and any(each >= PART for each in roles_of_name(name).values()) and len(words_of(name)) <= 3


def is_text_name(name: str) -> bool:
    """The name of a single column of plain text."""
    return joined_name(name) in NAMES["text"]
