// Scripts for bash, zsh and fish from CLI11's tree of commands.
#include "app/completion.h"

namespace mainstay::app {
namespace {

/// Options of a command, "--a --b".
std::string options_of(const CLI::App& command) {
  std::string out;
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) out += (out.empty() ? "--" : " --") + name;
  }
  return out;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string names_of(const CLI::App& app) {
  std::string out;
  for (const auto* command : commands_of(app))
    out += (out.empty() ? "" : " ") + command->get_name();
  return out;
}

std::string bash(const CLI::App& app) {
  std::string out =
      "_mainstay() {\n"
      "  local words\n"
      "  case \"${COMP_WORDS[1]}\" in\n";
  for (const auto* command : commands_of(app)) {
    const std::string inner = names_of(*command);
    out += "    " + command->get_name() + ") words=\"" + inner + (inner.empty() ? "" : " ") +
           options_of(*command) + "\" ;;\n";
  }
  out += "    *) words=\"" + names_of(app) + " " + options_of(app) +
         "\" ;;\n"
         "  esac\n"
         "  if [ \"$COMP_CWORD\" -le 1 ]; then words=\"" +
         names_of(app) + " " + options_of(app) +
         "\"; fi\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "  if [ ${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "
         "\"${COMP_WORDS[COMP_CWORD]}\")); fi\n"
         "}\n"
         "complete -F _mainstay mainstay\n";
  return out;
}

std::string zsh(const CLI::App& app) {
  return "#compdef mainstay\nautoload -U +X bashcompinit && bashcompinit\n" + bash(app);
}

/// Text between fish's single quotes.
std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string fish(const CLI::App& app) {
  std::string out = "complete -c mainstay -f\n";
  for (const auto* command : commands_of(app)) {
    out += "complete -c mainstay -n __fish_use_subcommand -a " + command->get_name() + " -d '" +
           quoted(command->get_description()) + "'\n";
    for (const auto* inner : commands_of(*command)) {
      out += "complete -c mainstay -n '__fish_seen_subcommand_from " + command->get_name() +
             "' -a " + inner->get_name() + "\n";
    }
    for (const auto* option : command->get_options()) {
      for (const auto& name : option->get_lnames()) {
        out += "complete -c mainstay -n '__fish_seen_subcommand_from " + command->get_name() +
               "' -l " + name + "\n";
      }
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash(app);
  if (shell == "zsh") return zsh(app);
  if (shell == "fish") return fish(app);
  return "";
}

}  // namespace mainstay::app
