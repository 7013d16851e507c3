"""A mask shows what it promises and nothing more, whatever was typed into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules import masks


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("张三", "张*"),
        ("张三丰", "张*"),
        ("欧阳修", "欧阳*"),
        ("诸葛孔明", "诸葛*"),
        ("欧阳", "欧*"),  # Mr Ou, called Yang
        ("买买提·艾力", "买*"),
        ("John Smith", "J*"),
        (" 王\u200b ", "*"),  # one letter, dressed up as more
        ("王", "*"),
        ("", "*"),
        (None, "*"),
        ("13812341234", "*"),
        ("(张三)", "*"),
    ],
)
def test_a_name_shows_its_surname(text, shown):
    assert masks.name(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("13812341234", "138****1234"),
        ("138 1234-1234", "138****1234"),
        ("".join(chr(ord(figure) + 0xFEE0) for figure in "13812341234"), "138****1234"),  # full width
        ("+8613812341234", "138****1234"),
        ("12812341234", "****"),
        ("1381234123", "****"),
        ("138123412345", "****"),
        ("010-12345678", "****"),
        ("打我电话13812341234", "****"),
        ("13812341234\n13912341234", "****"),
        ("", "****"),
        (None, "****"),
    ],
)
def test_a_phone_shows_three_figures_and_the_last_four(text, shown):
    assert masks.phone(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("11010519491231002X", "110***********002X"),
        ("11010519491231002x", "110***********002X"),
        ("110105491231002", "*" * 18),
        ("11010519491231002", "*" * 18),
        ("11010519491231002XX", "*" * 18),
        ("1101051949123100２X", "110***********002X"),
        ("E12345678", "*" * 18),
        ("", "*" * 18),
        (None, "*" * 18),
    ],
)
def test_an_identity_number_shows_its_first_three_and_last_four(text, shown):
    assert masks.identity_number(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("北京市西城区椿树街道万明路18号院3号楼2单元501室", "北京市西城区椿树街道万明路18号院3号楼****"),
        ("万明园甲3号楼501", "万明园甲3号楼****"),
        ("四季园5栋1203", "四季园5栋****"),
        ("金融街A座12层", "金融街A座****"),
        ("万明路18号张三收", "万明路18号****"),
        ("万明路18号院", "万明路18号院****"),
        ("万明园501室(3号楼)", "****"),  # the room is named before the building
        ("万明园二单元三号", "****"),
        ("万明路18号3楼501", "万明路18号****"),  # 3楼 is a floor
        ("张三 13812341234 万明路18号3号楼", "****"),
        ("张三家", "****"),
        ("501", "****"),
        ("", "****"),
        (None, "****"),
    ],
)
def test_an_address_shows_its_building_and_not_the_door_behind_it(text, shown):
    assert masks.address(text) == shown


@given(st.text())
def test_odd_input_never_shows_more_than_the_mask_allows(text):
    assert len(masks.name(text)) <= 3 and masks.name(text).endswith("*")
    assert masks.phone(text) == "****" or len(masks.phone(text)) == 11
    assert len(masks.identity_number(text)) == 18 and "*" * 11 in masks.identity_number(text)
    assert masks.address(text).endswith("****")


@given(st.text(alphabet="张王李欧阳诸葛明一二三13912号楼单元室路院 -", max_size=40))
def test_whatever_is_masked_keeps_its_secret_when_masked_again(text):
    assert masks.name(masks.name(text)) in (masks.name(text), masks.name(text)[0] + "*")
    assert masks.phone(masks.phone(text)) == "****"
    assert masks.identity_number(masks.identity_number(text)) == "*" * 18


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_of_a_phone_the_middle_four_are_never_shown(number):
    shown = masks.phone(number)
    assert shown[:3] == number[:3] and shown[-4:] == number[-4:] and shown[3:7] == "****" and len(shown) == 11


@given(
    st.sampled_from(["北京市西城区万明路18号院", "万明园", "四季园甲"]),
    st.sampled_from(["3号楼", "A座", "12栋", "二幢"]),
    st.from_regex(r"([1-9]单元)?[1-9][0-9]{2}(室|户|)[张王李]?", fullmatch=True),
)
def test_behind_the_building_everything_is_hidden(street, building, door):
    assert masks.address(street + building + door) == street + building + "****"
