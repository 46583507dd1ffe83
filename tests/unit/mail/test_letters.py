from transcription_proxy.mail import letters

SITE = "https://captions.example"
LINK = f"{SITE}/reset#token={'x' * 43}"


def test_the_link_stands_on_a_line_of_its_own_and_the_letter_says_how_long_and_how_often_it_works() -> None:
    letter = letters.reset_link(SITE, LINK)
    assert LINK in letter.text.splitlines()
    assert "use this link within an hour" in letter.text
    assert "If it wasn't you, ignore this email." in letter.text


def test_the_notice_says_what_to_do_and_holds_no_link_that_changes_anything() -> None:
    letter = letters.password_changed(SITE)
    assert f"{SITE}/forgot" in letter.text.splitlines()
    assert "token" not in letter.text


def test_subjects_are_plain() -> None:
    for letter in (letters.reset_link(SITE, LINK), letters.password_changed(SITE)):
        assert letter.subject.isascii()
        assert letter.subject.isprintable()
