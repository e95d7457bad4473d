// Lines of tickets per user and class, and the turns they take.
#include "admission/queue.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace mainstay::admission {

std::optional<Priority> priority_of(std::string_view text) noexcept {
  constexpr std::array<std::string_view, kClasses> kNames{"voice", "interactive", "batch",
                                                          "background"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (equal_ascii_nocase(text, kNames[i])) return static_cast<Priority>(i);
  }
  return std::nullopt;
}

FairQueue::~FairQueue() {
  CHECK(waiting_ == 0);
}

void FairQueue::set_concurrent(std::uint32_t of_a_user) {
  concurrent_ = of_a_user;
  for (auto& [name, user] : users_) update_turns(user);
}

bool FairQueue::may_work(const std::string& user) const {
  const auto found = users_.find(user);
  return found == users_.end() || free(found->second);
}

FairQueue::User& FairQueue::user_of(const std::string& name) {
  const auto [found, is_new] = users_.try_emplace(name);
  if (is_new) found->second.name = name;
  return found->second;
}

void FairQueue::forget_if_gone(User& user) {
  if (user.working == 0 && user.waiting == 0) users_.erase(users_.find(user.name));
}

FairQueue::User* FairQueue::start(const std::string& name) {
  User& user = user_of(name);
  ++user.working;
  update_turns(user);
  return &user;
}

void FairQueue::finish(User* user) {
  --user->working;
  update_turns(*user);
  forget_if_gone(*user);
}

/// Lines stand in the turns exactly while they hold a ticket and their user may work.
void FairQueue::update_turn(Line& line) {
  const bool wanted = !line.tickets.empty() && free(*line.user);
  if (wanted == line.in_turns) return;
  auto& turns = classes_[line.of].turns;
  if (wanted) {
    line.turn = turns.insert(turns.end(), &line);
  } else {
    turns.erase(line.turn);
  }
  line.in_turns = wanted;
}

void FairQueue::update_turns(User& user) {
  for (auto& line : user.lines) {
    if (line) update_turn(*line);
  }
}

void FairQueue::add(Ticket& ticket, const std::string& name) {
  User& user = user_of(name);
  const auto index = std::size_t(ticket.priority);
  Class& of = classes_[index];
  std::unique_ptr<Line>& line = user.lines[index];
  if (!line) {
    line = std::make_unique<Line>();
    line->user = &user;
    line->of = index;
    line->anonymous = ticket.anonymous;
    line->all = of.all.insert(of.all.end(), line.get());
    if (line->anonymous) line->recent = of.recent.insert(of.recent.end(), line.get());
  } else if (line->anonymous) {
    of.recent.splice(of.recent.end(), of.recent, line->recent);
  }
  ticket.user = &user;
  ticket.line = line.get();
  ticket.place = line->tickets.insert(line->tickets.end(), &ticket);
  ++user.waiting;
  ++of.waiting;
  ++waiting_;
  update_turn(*line);
}

void FairQueue::remove(Ticket& ticket) {
  Line& line = *ticket.line;
  User& user = *ticket.user;
  Class& of = classes_[line.of];
  line.tickets.erase(ticket.place);
  ticket.line = nullptr;
  --user.waiting;
  --of.waiting;
  --waiting_;
  update_turn(line);
  if (of.waiting == 0) of.passed_over = 0;
  if (line.tickets.empty()) {
    if (line.anonymous) of.recent.erase(line.recent);
    of.all.erase(line.all);
    user.lines[line.of].reset();
  }
  forget_if_gone(user);
}

/// The most urgent class with somebody who may work, unless a less urgent one was passed over often
/// enough; among several such ones the most urgent.
std::optional<std::size_t> FairQueue::class_of_turn() {
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < kClasses; ++i) {
    if (classes_[i].turns.empty()) continue;
    if (!chosen) {
      chosen = i;
    } else if (classes_[i].passed_over >= share_every_) {
      chosen = i;
      break;
    }
  }
  if (!chosen) return chosen;
  classes_[*chosen].passed_over = 0;
  for (std::size_t i = *chosen + 1; i < kClasses; ++i) {
    if (!classes_[i].turns.empty()) ++classes_[i].passed_over;
  }
  return chosen;
}

/// Each look at a line gives it a unit of credit, and a line in debt goes to the back: a look that
/// finds nobody was paid for by an earlier message, so that looks stay few.
FairQueue::Line* FairQueue::line_of_turn(Class& of) {
  for (;;) {
    Line* line = of.turns.front();
    ++line->credit;
    of.turns.splice(of.turns.end(), of.turns, of.turns.begin());
    if (line->credit > 0) return line;
  }
}

FairQueue::Ticket* FairQueue::next(Order order) {
  const auto chosen = class_of_turn();
  if (!chosen) return nullptr;
  Class& of = classes_[*chosen];
  Line* line = line_of_turn(of);
  const bool newest = order == Order::newest_first && line->anonymous &&
                      *chosen == std::size_t(Priority::interactive);
  if (newest) {
    const auto free = std::find_if(of.recent.rbegin(), of.recent.rend(),
                                   [](const Line* one) { return one->in_turns; });
    line = *free;
  }
  Ticket* ticket = line->tickets.front();
  // Credit is not saved up: who had nothing to send has no claim on later turns.
  line->credit = std::min<std::int64_t>(0, line->credit - ticket->cost);
  User& user = *line->user;
  ++user.working;
  remove(*ticket);
  update_turns(user);
  return ticket;
}

FairQueue::Ticket* FairQueue::least_urgent(Priority than) {
  for (std::size_t i = kClasses - 1; i > std::size_t(than); --i) {
    if (!classes_[i].all.empty()) return classes_[i].all.back()->tickets.back();
  }
  return nullptr;
}

std::uint32_t FairQueue::waiting(Priority priority) const {
  return classes_[std::size_t(priority)].waiting;
}
std::size_t FairQueue::lines(Priority priority) const {
  return classes_[std::size_t(priority)].all.size();
}

std::uint32_t FairQueue::waiting_of(const std::string& user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? 0 : found->second.waiting;
}

/// Those of more urgent classes, and, because users take turns, of each user of its own class no
/// more than this user has itself.
std::uint32_t FairQueue::ahead(const std::string& name, Priority priority) const {
  const auto index = std::size_t(priority);
  std::uint32_t before = 0;
  for (std::size_t i = 0; i < index; ++i) before += classes_[i].waiting;
  const auto found = users_.find(name);
  std::size_t own = 0;
  if (found != users_.end() && found->second.lines[index]) {
    own = found->second.lines[index]->tickets.size();
  }
  const auto turns = std::uint64_t(classes_[index].all.size()) * (own + 1);
  return before + std::uint32_t(std::min<std::uint64_t>(classes_[index].waiting, turns));
}

}  // namespace mainstay::admission
