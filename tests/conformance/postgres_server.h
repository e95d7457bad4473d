// A PostgreSQL cluster of our own: in a temporary directory, on a free port, syncing as it does by
// default; gone at the end of its object, also when the test program dies.
// Used by the suites in this folder.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace mainstay::storage {

/// A blocking connection of the test itself.
class Psql {
 public:
  explicit Psql(const std::string& url) : handle_(PQconnectdb(url.c_str())) {}
  ~Psql() { PQfinish(handle_); }
  Psql(const Psql&) = delete;
  Psql& operator=(const Psql&) = delete;
  bool up() const { return PQstatus(handle_) == CONNECTION_OK; }
  std::string why() const { return PQerrorMessage(handle_); }
  /// The first column of all rows, a line each; throws what the server says.
  std::string tell(const std::string& sql) {
    PGresult* const result = PQexec(handle_, sql.c_str());
    std::string out;
    for (int row = 0; row < PQntuples(result); ++row) {
      out += (row > 0 ? "\n" : "") + std::string(PQgetvalue(result, row, 0));
    }
    const auto status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw std::runtime_error(why());
    return out;
  }

 private:
  PGconn* handle_;
};

class PostgresServer {
 public:
  /// `options` as postgres takes them, e.g. {"-c", "max_connections=8"}.
  explicit PostgresServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
    std::string form = place() + "/mainstay-postgres-XXXXXX";
    dir_ = ::mkdtemp(form.data());
    port_ = free_port();
    // The server refuses to run as root.
    if (::geteuid() == 0) {
      user_ = ::getpwnam("postgres");
      if (user_ == nullptr) user_ = ::getpwnam("nobody");
      if (::chown(dir_.c_str(), user_->pw_uid, user_->pw_gid) != 0) fail("chown");
    }
    const std::string password_file = dir_ + "/password";
    std::ofstream(password_file) << kPassword << "\n";
    std::filesystem::permissions(password_file, std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    const pid_t made =
        launch({bin("initdb"), "-D", dir_ + "/data", "-U", "admin", "-A", "scram-sha-256",
                "--pwfile", password_file, "-E", "UTF8", "--locale=C", "-N"});
    int status = 0;
    ::waitpid(made, &status, 0);
    if (status != 0) fail("initdb did not work");
    start();
    Psql admin(url_of("admin", "postgres"));
    admin.tell("CREATE ROLE app LOGIN PASSWORD '" + std::string(kPassword) + "'");
  }
  ~PostgresServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  static constexpr const char* kPassword = "p4ss:w/rd";
  std::string url(const std::string& database) const { return url_of("app", database); }
  std::string admin_url(const std::string& database) const { return url_of("admin", database); }
  /// Makes a database that belongs to the role of url(); gives its name.
  std::string new_database(const std::string& more = "") {
    const std::string name = "test" + std::to_string(++databases_);
    Psql admin(admin_url("postgres"));
    if (!admin.up()) fail(admin.why());
    admin.tell("CREATE DATABASE " + name + " OWNER app TEMPLATE template0 " + more);
    return name;
  }
  /// A server that crashed syncs all its databases at its next start: fewer are quicker.
  void drop_database(const std::string& name) {
    Psql admin(admin_url("postgres"));
    if (admin.up()) admin.tell("DROP DATABASE " + name + " WITH (FORCE)");
  }

  /// Starts it again where it was; returns when it answers (`wait`) or at once.
  void start(bool wait = true) {
    std::vector<std::string> words{
        bin("postgres"), "-D", dir_ + "/data", "-p", std::to_string(port_), "-h",
        "127.0.0.1",     "-k", dir_,           "-c", "shared_buffers=16MB"};
    words.insert(words.end(), options_.begin(), options_.end());
    // Processes of one that was killed may hold its memory for a moment longer.
    for (int i = 0; i < 50; ++i) {
      pid_ = launch(words);
      if (!wait) return;
      if (wait_until_up()) return;
      ::poll(nullptr, 0, 100);
    }
    fail("the server does not start");
  }
  /// The server with all its processes, as by a power cut; those without it would go on for a
  /// while.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGSTOP);
    const std::string own = "/proc/" + std::to_string(pid_);
    std::ifstream children(own + "/task/" + std::to_string(pid_) + "/children");
    std::vector<pid_t> killed;
    for (pid_t child = 0; children >> child;) {
      ::kill(child, SIGKILL);
      killed.push_back(child);
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    // While one of them is there the memory that they shared is held, and no server starts.
    for (const pid_t child : killed) {
      for (int i = 0; i < 500 && ::kill(child, 0) == 0; ++i) ::poll(nullptr, 0, 2);
    }
  }
  /// It takes connections and answers nobody until resume(); sessions that run already go on.
  void suspend() { ::kill(pid_, SIGSTOP); }
  void resume() { ::kill(pid_, SIGCONT); }
  bool running() const { return pid_ > 0; }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    std::string text = "postgres: " + why + "; is Debian's postgresql-15 installed? ";
    std::ifstream log(dir_ + "/log");
    std::vector<std::string> lines;
    for (std::string line; std::getline(log, line);) lines.push_back(line);
    for (std::size_t i = lines.size() - std::min<std::size_t>(lines.size(), 3); i < lines.size();
         ++i) {
      text += lines[i] + "\n";
    }
    throw std::runtime_error(text);
  }
  std::string url_of(const std::string& user, const std::string& database) const {
    return "postgres://" + user + ":p4ss%3Aw%2Frd@127.0.0.1:" + std::to_string(port_) + "/" +
           database;
  }
  /// In memory where there is room: nothing here is about power cuts, and a server that crashed
  /// syncs all it has at its next start.
  static std::string place() {
    std::error_code none;
    const auto room = std::filesystem::space("/dev/shm", none);
    return !none && room.available > (std::uintmax_t{1} << 30) ? "/dev/shm" : "/tmp";
  }
  static std::string bin(const std::string& program) {
    std::string found;
    std::error_code ignored;
    for (const auto& version :
         std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
      const std::string path = version.path().string() + "/bin/" + program;
      if (std::filesystem::exists(path)) found = std::max(found, path);
    }
    return found.empty() ? program : found;
  }
  static int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(where);
    [[maybe_unused]] const int bound =
        ::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof(where));
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
    ::close(fd);
    return ntohs(where.sin_port);
  }
  pid_t launch(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int log =
        ::open((dir_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(log, 1);
      ::dup2(log, 2);
      if (user_ != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user_->pw_gid) != 0 ||
                               ::setuid(user_->pw_uid) != 0)) {
        ::_exit(126);
      }
      ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // ends its processes, too
      if (::chdir(dir_.c_str()) != 0) ::_exit(125);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(log);
    return pid;
  }
  /// False when it ended instead.
  bool wait_until_up() {
    for (int i = 0; i < 2000; ++i) {
      if (Psql(admin_url("postgres")).up()) return true;
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      ::poll(nullptr, 0, 10);
    }
    return false;
  }

  std::string dir_;
  int port_ = 0;
  int databases_ = 0;
  const passwd* user_ = nullptr;
  std::vector<std::string> options_;
  pid_t pid_ = -1;
};

}  // namespace mainstay::storage
