// The order in which waiting messages get a permit: classes, turns of users, each user's own order.
// Used by permits.h. Pure and single-threaded: its owner locks; time is not needed here.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "admission/caller.h"

namespace mainstay::admission {

constexpr std::size_t kClasses = 4;

/// The class that a request's X-Priority names; empty when there is no such class.
std::optional<Priority> priority_of(std::string_view text) noexcept;
/// The asked class, but none more urgent than the caller may have.
constexpr Priority capped(Priority asked, Priority most_urgent) noexcept {
  return asked < most_urgent ? most_urgent : asked;
}

/// Newest first: the newest of the anonymous interactive users takes the turn of an anonymous one.
enum class Order : std::uint8_t { fair, newest_first };

/// Who is next among those who wait.
/// - A class is served before every less urgent one; a class that waits while `share_every` permits
///   went to more urgent ones gets the next.
/// - Inside a class users take turns (deficit round-robin): a turn brings one unit of credit, a
///   message spends its cost, and who is in debt is passed over.
/// - Inside a user's class: first come, first served.
/// A user with `concurrent` messages at work is passed over until one of them ends.
class FairQueue {
 public:
  struct Ticket;
  struct User;
  /// The waiting messages of one user in one class.
  struct Line {
    User* user = nullptr;
    std::size_t of = 0;  ///< its class
    bool anonymous = false;
    bool in_turns = false;
    std::int64_t credit = 0;
    std::list<Ticket*> tickets;
    std::list<Line*>::iterator all;
    std::list<Line*>::iterator turn;    ///< while in_turns
    std::list<Line*>::iterator recent;  ///< of an anonymous line
  };
  /// What the queue knows of a user; stays while anything of it waits or works.
  struct User {
    std::string name;
    std::uint32_t working = 0;
    std::uint32_t waiting = 0;
    std::array<std::unique_ptr<Line>, kClasses> lines;
  };
  /// One waiting message. Owned by who waits; in the queue from add() to remove() or next().
  struct Ticket {
    Priority priority = Priority::interactive;
    bool anonymous = false;
    std::uint32_t cost = 1;
    User* user = nullptr;  ///< set by add()
    Line* line = nullptr;  ///< null: not in the queue
    std::list<Ticket*>::iterator place;
  };

  explicit FairQueue(std::uint32_t share_every) : share_every_(share_every) {}
  ~FairQueue();
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  /// 0: users have no bound on what they have at work.
  void set_concurrent(std::uint32_t of_a_user);
  void set_share_every(std::uint32_t n) { share_every_ = n; }
  bool may_work(const std::string& user) const;
  /// A message of the user works from now until finish(); it did not wait.
  User* start(const std::string& user);
  void finish(User* user);

  void add(Ticket& ticket, const std::string& user);
  void remove(Ticket& ticket);
  /// Takes the next one out and counts it as working; null when nobody may.
  Ticket* next(Order order);
  /// Of the least urgent class below `than`, the newest of the user that came last: who makes room
  /// for more urgent work. Null when there is none.
  Ticket* least_urgent(Priority than);

  std::uint32_t waiting() const noexcept { return waiting_; }
  std::uint32_t waiting(Priority priority) const;
  std::uint32_t waiting_of(const std::string& user) const;
  /// Messages that would be served before a new one of this user, about.
  std::uint32_t ahead(const std::string& user, Priority priority) const;
  std::size_t users() const noexcept { return users_.size(); }
  /// Users with waiting messages in the class.
  std::size_t lines(Priority priority) const;

 private:
  struct Class {
    std::list<Line*> all;     ///< the newest at the back
    std::list<Line*> turns;   ///< those that may be served, the next in front
    std::list<Line*> recent;  ///< anonymous ones, the one with the newest message at the back
    std::uint32_t waiting = 0;
    std::uint32_t passed_over = 0;  ///< permits that went to more urgent classes
  };
  User& user_of(const std::string& name);
  void forget_if_gone(User& user);
  bool free(const User& user) const { return concurrent_ == 0 || user.working < concurrent_; }
  void update_turn(Line& line);
  void update_turns(User& user);
  std::optional<std::size_t> class_of_turn();
  Line* line_of_turn(Class& of);
  std::uint32_t share_every_;
  std::uint32_t concurrent_ = 0;
  std::uint32_t waiting_ = 0;
  std::array<Class, kClasses> classes_;
  std::unordered_map<std::string, User> users_;
};

}  // namespace mainstay::admission
