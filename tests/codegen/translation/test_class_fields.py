"""Fields that stand beside their assignments are put where the target wants them."""

from __future__ import annotations

import pytest

from glm_codegen.translation.class_fields import put_together


def put(target: str, text: str) -> str:
    return put_together(text, target)


GO = """type Lamp struct {
func NewLamp(watts int) *Lamp {
	watts int
		watts: watts,
	names []string
		names: []string{},
}
func (self *Lamp) count() int {
	return self.watts
}"""

GO_WHOLE = """type Lamp struct {
	watts int
	names []string
}
func NewLamp(watts int) *Lamp {
	return &Lamp{
		watts: watts,
		names: []string{},
	}
}
func (self *Lamp) count() int {
	return self.watts
}"""

JAVA = """class Lamp {
    public Lamp(int watts) {
    private int watts;
        this.watts = watts;
    private List<String> names;
        this.names = new ArrayList<>();
    }
    public int count() {
        return this.watts;
    }
}"""

JAVA_WHOLE = """class Lamp {
    private int watts;
    private List<String> names;
    public Lamp(int watts) {
        this.watts = watts;
        this.names = new ArrayList<>();
    }
    public int count() {
        return this.watts;
    }
}"""


@pytest.mark.parametrize(
    ("target", "said", "whole"), [("go", GO, GO_WHOLE), ("java", JAVA, JAVA_WHOLE)]
)
def test_late_fields_go_before_the_constructor(target: str, said: str, whole: str) -> None:
    assert put(target, said) == whole


@pytest.mark.parametrize("whole", [GO_WHOLE, "func f() int {\n\treturn 1\n}"])
def test_what_is_in_order_stays(whole: str) -> None:
    assert put("go", whole) == whole


def test_fields_that_the_source_declared_come_first() -> None:
    said = GO.replace("\twatts int\n", "").replace("\tnames []string\n", "")
    said = said.replace("struct {\n", "struct {\n\twatts int\n\tnames []string\n}\n")
    assert put("go", said) == GO_WHOLE


def test_a_struct_without_constructor_is_closed() -> None:
    assert put("go", "type Lamp struct {\nfunc (self *Lamp) on() {\n}") == (
        "type Lamp struct {\n}\nfunc (self *Lamp) on() {\n}"
    )


@pytest.mark.parametrize(("target", "said"), [("go", GO), ("java", JAVA), ("python", JAVA)])
def test_an_answer_that_breaks_off_loses_nothing(target: str, said: str) -> None:
    for end in range(1, said.count("\n") + 1):
        lines = said.split("\n")[:end]
        shown = put(target, "\n".join(lines)).split("\n")
        assert not [line for line in lines if line not in shown]
