"""Is a document English? By its script and its commonest words, never by the sentence.

Headlines full of names defeat every detector, so short texts are taken for English unless their
script says otherwise, and a source's own language tag decides only where the words do not.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SAMPLE: Final = 20_000  # characters are plenty
_MIN_WORDS: Final = 25
_COMMON: Final = {  # words that are frequent in one language and rare or absent in the others
    "en": """
        the of and to in that is was for it with as on by at from his her they have has had be are
        not this but an were which said will would their been who its he she we you what when there
    """,
    "de": """
        der die das und den von zu mit sich des auf für ist im dem nicht ein eine als auch es an
        werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum
        war haben
    """,
    "fr": """
        de la le et les des en un du une que est pour qui dans par sur au plus pas avec il ce sont
        aux ont été cette mais leur ses fait être nous vous elle deux ces son selon après
    """,
    "es": """
        de la que el en y los se del las un por con no una su para es al lo como más o pero sus le
        ha me sin sobre este ya entre cuando todo esta ser son dos también fue había era muy
    """,
    "it": """
        di e il la che in un per è una con non del si da le dei sono al nel della alla come più
        anche ha i gli dal lo se ma su ai delle tra nella ed questo stato loro suo
    """,
    "pt": """
        de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele
        das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso
    """,
    "nl": """
        de van een het en in is dat op te zijn met voor niet aan er die maar om ook als dan bij of
        uit nog naar heeft hij zij worden wordt door over tot kan deze werd wel zou geen
    """,
    "pl": """
        w i na z się do nie że to jest o po jak od za przez dla są był ma oraz ale co jego tym które
        który już być także ze przy może tylko było ich roku przed
    """,
    "tr": """
        ve bir bu da de için ile olarak çok daha olan en gibi sonra kadar ne var ancak ise ya değil
        her olduğu tarafından şekilde oldu ki
    """,
    "ro": """
        de și în la cu a pe care nu din să un este o pentru mai că au sunt fost prin după dar fi lui
        sau între această ale al prima acest
    """,
    "cs": """
        a se na v je že o s z do i to k ve pro za by ale jsou po jako které od který jeho už však
        byl až také má podle před této která aby
    """,
    "fi": """
        ja on ei että se oli hän ovat mutta kun myös joka ole ovat sekä tai jos vain kuin hänen
        mukaan niin jo sen tämä voi
    """,
    "sv": """
        och i att det som en på är av för med till den har de inte om ett han men var jag sig från
        vi så kan när år säger hon under också efter eller nu sin där vid
    """,
}
_LISTS: Final = {language: frozenset(words.split()) for language, words in _COMMON.items()}


def not_english(text: str, tag: str | None = None) -> str | None:
    """None for English; else what the text seems to be: a script's name or a language code."""
    sample = text[:_SAMPLE]
    script = _foreign_script(sample)
    if script is not None:
        return script
    words = [word.lower().replace("’", "'") for word in _WORD.findall(sample)]
    tagged = (tag or "").strip().lower().replace("_", "-").partition("-")[0]
    if len(words) < _MIN_WORDS:
        return None
    shares = {
        language: sum(word in known for word in words) / len(words) for language, known in _LISTS.items()
    }
    best = max(shares, key=lambda language: (shares[language], language == "en"))
    english = shares["en"]
    if best != "en" and shares[best] > 0.12 and shares[best] > 1.5 * english:
        return best
    if english >= 0.12:
        return None
    if tagged:
        return None if tagged in ("en", "eng", "english") else tagged
    return None if english >= 0.03 else "no known English words"


def _foreign_script(sample: str) -> str | None:
    """The script of most letters, if it is not Latin; the first word of a letter's Unicode name tells it."""
    letters = [character for character in sample if character.isalpha()]
    foreign = [character for character in letters if character > "\u024f"]
    if len(letters) < 10 or len(foreign) * 2 <= len(letters):
        return None
    names = [unicodedata.name(character, "UNKNOWN").partition(" ")[0] for character in foreign[:500]]
    common = max(set(names), key=names.count)
    return None if common == "LATIN" else f"{common.capitalize()} script"
