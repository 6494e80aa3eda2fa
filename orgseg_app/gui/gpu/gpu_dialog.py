"""“Graphics card…”: the one sentence, what is known, and what can be done about it."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from orgseg_app.gpu.install import as_sha256
from orgseg_app.gpu.situation import INSTALL, PACK, READY, TEST, WARNING, WORKS, Situation, judge
from orgseg_app.gui.editing.save_trouble import size_words
from orgseg_app.gui.panels.export_progress import ExportProgress
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    GROUP,
    THIN_SPACE,
    Caption,
    IconPicture,
    SecondaryButton,
    SectionTitle,
    label,
    plain_tip,
)

WIDTH = 600
_ICONS = {WORKS: ("check", "success"), READY: ("info", "accent"), WARNING: ("warning", "warning")}


class GpuDialog(QDialog):
    """Says what works and offers what helps; the window goes on beside it.

    Signals
    -------
    download_requested(), file_requested(), test_requested(), remove_requested()
    sha256_given(digits)
        What the file that was chosen must have.
    cancel_requested()
    """

    download_requested = Signal()
    file_requested = Signal()
    test_requested = Signal()
    remove_requested = Signal()
    sha256_given = Signal(str)
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Graphics card")
        self.setProperty("help_page", "gpu")
        theme.hold(self, width=WIDTH)
        self.situation: Situation | None = None
        self._is_working = False
        self._build()
        self._arrange()
        self.show_looking()
        self.close_button.setFocus()

    def _build(self) -> None:
        self.icon = IconPicture("device", colour="secondary")
        self.sentence = label(wrap=True)
        self.sentence.setAccessibleName("What works, and what to do")
        self.facts = QGridLayout()
        self.facts.setHorizontalSpacing(GROUP)
        self.facts.setVerticalSpacing(4)
        self.facts.setColumnStretch(1, 1)
        self.note = Caption()
        self.sha_words = label(wrap=True)
        self.sha_field = QLineEdit(placeholderText="64 letters and digits")
        self.sha_field.setAccessibleName("SHA-256 of the file")
        self.sha_field.textChanged.connect(self._on_sha256)
        self.sha_button = SecondaryButton("Check and install")
        self.sha_button.clicked.connect(self._give_sha256)
        self.progress = ExportProgress()
        self.progress.setAccessibleName("Progress with the GPU pack")
        self.progress.cancel_requested.connect(self.cancel_requested)
        self.download_button = SecondaryButton("Download…", "import")
        self.download_button.clicked.connect(self.download_requested)
        self.file_button = SecondaryButton("Install from a file…", "folder")
        self.file_button.setToolTip("A GPU pack that was fetched on this or another computer")
        self.file_button.clicked.connect(self.file_requested)
        self.test_button = SecondaryButton("Test")
        self.test_button.setToolTip(
            "Ten seconds: a small network must learn, and find the same as on the processor"
        )
        self.test_button.clicked.connect(self.test_requested)
        self.remove_button = SecondaryButton("Remove")
        self.remove_button.setToolTip("Delete the GPU pack; projects and models stay as they are")
        self.remove_button.clicked.connect(self.remove_requested)
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.close)
        self.close_button.setDefault(True)

    def _arrange(self) -> None:
        top = Qt.AlignmentFlag.AlignTop
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self.icon, 0, top)
        head.addWidget(self.sentence, 1, top)
        self.sha_row = QWidget()
        entry = QHBoxLayout()
        entry.setSpacing(GAP)
        entry.addWidget(self.sha_field, 1)
        entry.addWidget(self.sha_button)
        asked = QVBoxLayout(self.sha_row)
        asked.setContentsMargins(0, 0, 0, 0)
        asked.setSpacing(GAP)
        asked.addWidget(self.sha_words)
        asked.addLayout(entry)
        self.sha_row.hide()
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        for button in (self.download_button, self.file_button, self.test_button):
            foot.addWidget(button)
        foot.addWidget(self.remove_button)
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(GAP)
        column.addWidget(SectionTitle("Graphics card"))
        column.addLayout(head)
        column.addSpacing(GAP)
        column.addLayout(self.facts)
        column.addSpacing(GAP)
        column.addWidget(self.note)
        column.addWidget(self.sha_row)
        column.addWidget(self.progress)
        column.addSpacing(GAP)
        column.addStretch(1)
        column.addLayout(foot)

    # -- what is known ---------------------------------------------------------------------------

    def show_looking(self) -> None:
        """Nothing is known yet."""
        self.sentence.setText("Looking at the graphics card…")
        self._refresh()

    def show_situation(self, now: Situation) -> None:
        """Say the sentence, what is known, and what can be done."""
        self.situation = now
        verdict = judge(now)
        self.sentence.setText(verdict.sentence)
        self.icon.set_icon(*_ICONS.get(verdict.tone, ("device", "secondary")))
        self._show_facts(facts_of(now))
        self.note.setText(note_of(now))
        self.note.setVisible(bool(self.note.text()))
        self._refresh()

    def show_trouble(self, sentence: str) -> None:
        """It could not be found out."""
        self.sentence.setText(sentence)
        self.icon.set_icon("warning", "warning")
        self._refresh()

    def _show_facts(self, facts: list[tuple[str, str]]) -> None:
        while (item := self.facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for row, (name, value) in enumerate(facts):
            words = label(value, wrap=True)
            words.setAccessibleName(f"{name}: {value}")
            self.facts.addWidget(label(name, tone="secondary"), row, 0, Qt.AlignmentFlag.AlignTop)
            self.facts.addWidget(words, row, 1, Qt.AlignmentFlag.AlignTop)

    def _refresh(self) -> None:
        now, is_free = self.situation, not self._is_working
        verdict = judge(now) if now is not None else None
        is_useful, offer = now is not None and may_use_pack(now), now.offer if now else None
        has_pack = now is not None and now.pack is not None
        is_there = now is not None and now.pack is not None and now.can_be_tested
        self.download_button.setEnabled(is_free and offer is not None)
        if offer is not None:
            self.download_button.setToolTip(
                f"{size_words(offer.bytes)} from {offer.server}; says so once more before it starts"
            )
        else:
            self.download_button.setToolTip(plain_tip(self.note.text()))
        self.download_button.setVisible(is_useful and not is_there)
        self.file_button.setEnabled(is_free)
        self.file_button.setVisible(is_useful)
        self.test_button.setEnabled(is_free)
        self.test_button.setVisible(now is not None and now.can_be_tested)
        self.remove_button.setEnabled(is_free and has_pack)
        self.remove_button.setVisible(has_pack)
        to_do = verdict.to_do if verdict is not None else ""
        wants_pack = to_do in (INSTALL, PACK)
        self._mark(self.download_button, wants_pack and offer is not None)
        self._mark(self.file_button, wants_pack and offer is None)
        self._mark(self.test_button, to_do == TEST)
        self._fit()

    def _fit(self) -> None:
        """As high as everything that is said: words that wrap do not ask for it by themselves."""
        layout = self.layout()
        if layout is None:
            return
        layout.activate()
        height = max(layout.totalHeightForWidth(self.width()), layout.totalMinimumSize().height())
        self.setMinimumHeight(height)
        self.resize(self.width(), height)

    def changeEvent(self, event: QEvent) -> None:
        """Another text size needs another height."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            QTimer.singleShot(0, self, self._fit)

    def _mark(self, button: SecondaryButton, is_next: bool) -> None:
        """One button at a time is the next thing to do."""
        look = "primary" if is_next and button.isEnabled() else ""
        if (button.property("look") or "") != look:
            button.setProperty("look", look)
            theme.restyle(button)
        icon = {self.download_button: "import", self.file_button: "folder"}.get(button)
        if icon is not None:
            from orgseg_app.gui.style import icons

            button.setIcon(icons.icon(icon, "on_accent" if look else None))

    # -- what is being done ----------------------------------------------------------------------

    def ask_sha256(self, name: str) -> None:
        """A file was chosen beside which no SHA-256 lies."""
        self.sha_words.setText(
            f"The pack is a program, so it is checked before it is used. Paste the SHA-256 of "
            f"“{name}” from the page that offers it:"
        )
        self.progress.clear()
        self.sha_field.clear()
        self._on_sha256()
        self.sha_row.show()
        self.sha_button.setDefault(True)
        self.sha_field.setFocus()
        self._fit()

    def _on_sha256(self) -> None:
        self.sha_button.setEnabled(bool(as_sha256(self.sha_field.text())))

    def _give_sha256(self) -> None:
        digits = as_sha256(self.sha_field.text())
        if digits and not self._is_working:
            self.sha256_given.emit(digits)

    def start(self, words: str) -> None:
        """Something is under way."""
        self._is_working = True
        self.setFocus()  # or the Enter that began it would press what comes next
        self.sha_row.hide()
        for button in (self.sha_button, self.close_button):
            button.setDefault(False)  # a second Enter would give everything up
        self.progress.start(words)
        self._refresh()

    def show_progress(self, done_kib: int, total_kib: int, words: str) -> None:
        """How far it is, in KiB: Qt's whole numbers end at 2 GiB."""
        self.progress.show_progress(done_kib, total_kib, "")
        if total_kib:
            amount = f"{size_words(done_kib << 10)} of {size_words(total_kib << 10)}"
            self.progress.show_words(f"{words}: {amount}")

    def finish(self, level: str, sentence: str) -> None:
        """Say how it ended: "success", "warning" or "error"; "" says nothing."""
        self._is_working = False
        self.close_button.setDefault(True)
        if sentence:
            self.progress.finish(level, sentence)
        else:
            self.progress.clear()
        self._refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closing gives up what is under way."""
        if self._is_working:
            self.cancel_requested.emit()
        super().closeEvent(event)


def facts_of(now: Situation) -> list[tuple[str, str]]:
    """What is known, name and value, for people who want to know more."""
    facts = []
    for card in now.driver.cards:
        # In the GB that are printed on cards, which have 2^30 bytes.
        memory = f" · {card.memory_bytes / 2**30:.0f}{THIN_SPACE}GB" if card.memory_bytes else ""
        capability = f" · compute capability {card.capability[0]}.{card.capability[1]}"
        facts.append(("Card", f"{card.name}{memory}{capability}"))
    if not now.driver.cards and now.vendors:
        facts.append(("Card", f"made by {' and '.join(now.vendors)}"))
    if now.driver.version:
        cuda = f" · runs CUDA up to {now.driver.cuda}" if now.driver.cuda else ""
        facts.append(("Driver", f"NVIDIA {now.driver.version}{cuda}"))
    built = f"CUDA {now.torch.cuda}" if now.torch.cuda else "the processor"
    built = f"ROCm {now.torch.hip}" if now.torch.hip else built
    if now.platform.startswith("macos"):
        built = "the GPU of this Mac and the processor"
    facts.append(("OrgSeg's own PyTorch", f"{now.torch.version.split('+')[0]} for {built}"))
    if now.pack is not None:
        pack = now.pack
        facts.append(
            (
                "GPU pack",
                f"OrgSeg {pack.orgseg} · PyTorch {pack.torch.split('+')[0]} for CUDA "
                f"{pack.needs.cuda} · {size_words(pack.bytes)}",
            )
        )
    elif may_use_pack(now):
        facts.append(("GPU pack", "not installed"))
    if now.test is not None and now.can_be_tested:
        facts.append(("Last test", _test_words(now)))
    return facts


def _test_words(now: Situation) -> str:
    assert now.test is not None
    test = now.test
    when = datetime.fromtimestamp(test.when).astimezone().strftime("%Y-%m-%d %H:%M")
    driver = f", driver {test.driver}" if test.driver else ""
    return f"{'passed' if test.passed else 'not passed'} on {when}{driver}"


def may_use_pack(now: Situation) -> bool:
    """Whether a GPU pack has anything to do with this computer."""
    has_card = bool(now.driver.cards) or "NVIDIA" in now.vendors
    return not now.platform.startswith("macos") and (has_card or now.pack is not None)


def note_of(now: Situation) -> str:
    """Where a pack comes from, where one is wanted."""
    if not may_use_pack(now) or (now.pack is not None and now.can_be_tested):
        return ""
    if now.offer is not None:
        count = len(now.offer.parts)
        files = f" in {count} files" if count > 1 else ""
        return (
            f"The GPU pack for this version is {size_words(now.offer.bytes)}{files}, from "
            f"{now.offer.parts[0].url}. Nothing is fetched before you ask for it."
        )
    return (
        "No GPU pack to download is known to this version of OrgSeg for this kind of computer. One "
        "that you have as a file can be installed from it."
    )
