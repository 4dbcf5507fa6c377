// Line editing, history and completion at the prompt, over libedit.
#pragma once

#include <histedit.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verso::cli {

class LineEditor {
 public:
  struct Knowledge {
    // Whole texts that a text may be completed to.
    std::function<std::vector<std::string>(std::string_view)> complete;
    // What may follow the text, for people to read.
    std::function<std::string(std::string_view)> hint;
  };

  // History is kept in the file; an empty name keeps none.
  LineEditor(Knowledge knowledge, std::string history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // The typed line without its end; nullopt at the end of input.
  std::optional<std::string> ReadLine(const std::string& prompt);

  // Adds a line to the history and its file.
  void Remember(const std::string& line);

 private:
  static char* PromptText(EditLine* edit);
  static char* HintText(EditLine* edit);
  static unsigned char OnTab(EditLine* edit, int key);
  static unsigned char OnSpace(EditLine* edit, int key);
  static LineEditor* Of(EditLine* edit);

  std::string TextBeforeCursor() const;
  unsigned char Complete();
  void ShowChoices(const std::vector<std::string>& choices) const;

  const Knowledge knowledge_;
  const std::string history_file_;
  std::string prompt_;
  std::string hint_;
  EditLine* edit_;
  History* history_;
};

}  // namespace verso::cli
