#include "client/cli/line_editor.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace verso::cli {
namespace {

constexpr int kHistoryLines = 1000;
constexpr char kEscape = '\1';  // brackets what the terminal does not show

size_t TerminalColumns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// The longest text that all begin with.
std::string CommonPrefix(const std::vector<std::string>& texts) {
  std::string prefix = texts.front();
  for (const std::string& text : texts) {
    const auto [end, other] = std::mismatch(prefix.begin(), prefix.end(), text.begin(), text.end());
    prefix.erase(end, prefix.end());
  }
  return prefix;
}

bool IsLowerCase(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return std::isupper(c) != 0; });
}

}  // namespace

LineEditor::LineEditor(Knowledge knowledge, std::string history_file)
    : knowledge_(std::move(knowledge)),
      history_file_(std::move(history_file)),
      edit_(el_init("verso-cli", stdin, stdout, stderr)),
      history_(history_init()) {
  el_set(edit_, EL_CLIENTDATA, this);
  el_set(edit_, EL_SIGNAL, 1);  // Ctrl-C and a resized window leave the terminal in order
  el_set(edit_, EL_EDITOR, "emacs");
  el_set(edit_, EL_PROMPT, &PromptText);
  el_set(edit_, EL_RPROMPT_ESC, &HintText, kEscape);
  el_set(edit_, EL_ADDFN, "verso-complete", "Complete a command or show its arguments", &OnTab);
  el_set(edit_, EL_ADDFN, "verso-space", "Insert a space and refresh the hint", &OnSpace);
  el_set(edit_, EL_BIND, "^I", "verso-complete", nullptr);
  el_set(edit_, EL_BIND, " ", "verso-space", nullptr);
  el_set(edit_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  HistEvent event;
  history(history_, &event, H_SETSIZE, kHistoryLines);
  history(history_, &event, H_SETUNIQUE, 1);
  el_set(edit_, EL_HIST, history, history_);
  if (!history_file_.empty()) history(history_, &event, H_LOAD, history_file_.c_str());
  el_source(edit_, nullptr);  // ~/.editrc
}

LineEditor::~LineEditor() {
  history_end(history_);
  el_end(edit_);
}

std::optional<std::string> LineEditor::ReadLine(const std::string& prompt) {
  prompt_ = prompt;
  int count = 0;
  const char* line = el_gets(edit_, &count);
  if (line == nullptr || count <= 0) return std::nullopt;
  std::string text(line, static_cast<size_t>(count));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

void LineEditor::Remember(const std::string& line) {
  HistEvent event;
  history(history_, &event, H_ENTER, line.c_str());
  if (!history_file_.empty()) history(history_, &event, H_SAVE, history_file_.c_str());
}

LineEditor* LineEditor::Of(EditLine* edit) {
  void* self = nullptr;
  el_get(edit, EL_CLIENTDATA, &self);
  return static_cast<LineEditor*>(self);
}

char* LineEditor::PromptText(EditLine* edit) { return Of(edit)->prompt_.data(); }

// Grey, at the right edge; only as much as leaves room for the line.
char* LineEditor::HintText(EditLine* edit) {
  LineEditor* self = Of(edit);
  const std::string text = self->TextBeforeCursor();
  std::string hint = text.ends_with(' ') ? self->knowledge_.hint(text) : std::string();
  const size_t used = self->prompt_.size() + text.size() + 4;
  const size_t columns = TerminalColumns();
  if (used + 8 > columns) hint.clear();
  if (used + hint.size() > columns) hint = hint.substr(0, columns - used - 3) + "...";
  self->hint_ = hint.empty() ? "" : "\1\033[90m\1" + hint + "\1\033[0m\1";
  return self->hint_.data();
}

unsigned char LineEditor::OnTab(EditLine* edit, int) { return Of(edit)->Complete(); }

unsigned char LineEditor::OnSpace(EditLine* edit, int) {
  return el_insertstr(edit, " ") == 0 ? CC_REFRESH : CC_ERROR;
}

std::string LineEditor::TextBeforeCursor() const {
  const LineInfo* line = el_line(edit_);
  return {line->buffer, line->cursor};
}

unsigned char LineEditor::Complete() {
  const std::string text = TextBeforeCursor();
  const std::vector<std::string> choices = knowledge_.complete(text);
  if (choices.empty()) {
    const std::string hint = knowledge_.hint(text);
    if (hint.empty()) return CC_ERROR;
    std::printf("\n%s\n", hint.c_str());
    return CC_REDISPLAY;
  }
  std::string added = CommonPrefix(choices).substr(std::min(text.size(), choices[0].size()));
  if (choices.size() == 1) added += ' ';
  if (added.empty()) {
    ShowChoices(choices);
    return CC_REDISPLAY;
  }
  if (IsLowerCase(text)) {
    for (char& c : added) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return el_insertstr(edit_, added.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
}

void LineEditor::ShowChoices(const std::vector<std::string>& choices) const {
  size_t width = 0;
  for (const std::string& choice : choices) width = std::max(width, choice.size() + 2);
  const size_t per_row = std::max<size_t>(1, TerminalColumns() / width);
  std::putchar('\n');
  for (size_t i = 0; i < choices.size(); ++i) {
    const bool ends_row = i % per_row == per_row - 1 || i + 1 == choices.size();
    std::printf("%-*s%s", static_cast<int>(ends_row ? 0 : width), choices[i].c_str(),
                ends_row ? "\n" : "");
  }
}

}  // namespace verso::cli
