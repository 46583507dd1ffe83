from transcription_proxy.mail import emails

SITE = "https://captions.example"
LINK = f"{SITE}/reset#token={'x' * 43}"


def test_the_link_stands_on_a_line_of_its_own_and_the_letter_says_how_long_and_how_often_it_works() -> None:
    email = emails.reset_link(SITE, LINK)
    assert LINK in email.text.splitlines()
    assert "use this link within an hour" in email.text
    assert "If it wasn't you, ignore this email." in email.text


def test_the_notice_says_what_to_do_and_holds_no_link_that_changes_anything() -> None:
    email = emails.password_changed(SITE)
    assert f"{SITE}/forgot" in email.text.splitlines()
    assert "token" not in email.text


def test_subjects_are_plain() -> None:
    for email in (emails.reset_link(SITE, LINK), emails.password_changed(SITE)):
        assert email.subject.isascii()
        assert email.subject.isprintable()
