"""What a screen may show of a person: masked names, phones, identity numbers and addresses (PIPL Art. 51).

Each mask gives a text of the same few forms whatever comes in; what it does not recognise it hides wholly.
"""

import re
import unicodedata

HIDDEN = "****"
# A compound surname is one only where a given name follows it: 欧阳 alone is a Mr Ou.
SURNAME = re.compile(
    "(?:欧阳|司马|上官|诸葛|司徒|夏侯|尉迟|皇甫|慕容|令狐|长孙|宇文|东方|南宫|公孙|端木|独孤|轩辕|西门|申屠|钟离|澹台|公冶"
    "|宗政|濮阳|淳于|单于|太叔|闻人|赫连|百里|呼延|东郭|左丘|司空|完颜|纳兰|第五)(?=.)|."
)
NUMBER = "[0-9A-Za-z一二三四五六七八九十百甲乙丙丁]+"
ROOM = re.compile(rf"{NUMBER}\s*(?:单元|楼?层|室|户|房|门)")
BUILDING = re.compile(rf".*?{NUMBER}\s*(?:号楼|栋|幢|座)")
DOOR = re.compile(r".*?(?:路|街|巷|胡同|道|条|里)[甲乙丙丁]?[0-9]+号院?")
# Five figures in a row belong to a phone, a parcel or a door code, never to the way to a building.
PERSONAL = re.compile(r"[0-9]{5}")


def name(text: str) -> str:
    """Give the surname and one star: 张三丰 → 张*, 欧阳修 → 欧阳*; of a single letter nothing."""
    text = plain(text)
    if len(text) < 2 or not text[0].isalpha():
        return "*"
    return SURNAME.match(text)[0] + "*"


def phone(text: str) -> str:
    """Give a mainland mobile as 138****1234; any other number is hidden wholly."""
    digits = re.sub(r"^(\+?86)(?=1[0-9]{10}$)", "", re.sub(r"[\s-]", "", plain(text)))
    return digits[:3] + HIDDEN + digits[-4:] if re.fullmatch(r"1[3-9][0-9]{9}", digits) else HIDDEN


def identity_number(text: str) -> str:
    """Give the first three and the last four of 18 figures (GB 11643): 110***********002X; else nothing."""
    digits = plain(text).upper()
    return digits[:3] + "*" * 11 + digits[-4:] if re.fullmatch(r"[0-9]{17}[0-9X]", digits) else "*" * 18


def address(text: str) -> str:
    """Give an address to its building, and stars for the rest; where none is named, to its door in the street.

    万明路18号院3号楼2单元501室 → 万明路18号院3号楼****
    """
    head = ROOM.split(plain(text))[0]
    for form in (BUILDING, DOOR):
        found = form.match(head)
        if found and not PERSONAL.search(found[0]):
            return found[0] + HIDDEN
    return HIDDEN


def plain(text: str) -> str:
    """Give full-width letters and figures as ordinary ones (NFKC), without what cannot be seen."""
    return re.sub("[\u200b-\u200f\u2060\ufeff]", "", unicodedata.normalize("NFKC", text or "")).strip()
