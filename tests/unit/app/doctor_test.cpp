// What doctor finds: limits of disk and inodes, fixture machines, permissions, damaged databases.
// proves Z18 (why a profile was chosen)
#include "app/doctor.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/exit_codes.h"
#include "app/settings_check.h"
#include "app/wire.h"
#include "base/random.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;

/// A folder that is gone after the test.
class Folder {
 public:
  Folder() : path_(testing::TempDir() + "doctor-" + std::to_string(::getpid())) {
    fs::remove_all(path_);
    fs::create_directories(path_);
    fs::permissions(path_, fs::perms::owner_all);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(path_ + "/" + name).parent_path());
    std::ofstream(path_ + "/" + name) << text;
  }

 private:
  std::string path_;
};

Finding of(const Findings& findings, const std::string& check) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& f) { return f.check == check; });
  return found == findings.end() ? Finding{Mark::bad, "", "missing: " + check, ""} : *found;
}

DiskRoom room(std::uint64_t total, std::uint64_t free) {
  DiskRoom out;
  out.total = total;
  out.free = free;
  out.inodes_total = 1000;
  out.inodes_free = 1000;
  return out;
}

TEST(DoctorDisk, warns_below_the_soft_limit_and_fails_below_the_hard_one) {
  const ResourceSettings limits;
  const auto mark = [&](std::uint64_t total, std::uint64_t free) {
    return disk_finding(room(total, free), "/d", limits).mark;
  };
  EXPECT_EQ(mark(4 * kGiB, 512 * kMiB), Mark::fine);
  EXPECT_EQ(mark(4 * kGiB, 512 * kMiB - 1), Mark::warn);
  EXPECT_EQ(mark(4 * kGiB, 128 * kMiB), Mark::warn);
  EXPECT_EQ(mark(4 * kGiB, 128 * kMiB - 1), Mark::bad);
  EXPECT_EQ(mark(1000 * kGiB, 50 * kGiB), Mark::fine) << "five percent of a large disk";
  EXPECT_EQ(mark(1000 * kGiB, 50 * kGiB - 1), Mark::warn);
  EXPECT_EQ(mark(32 * kMiB, 16 * kMiB), Mark::fine) << "a disk smaller than the limits";
  EXPECT_EQ(mark(32 * kMiB, 16 * kMiB - 1), Mark::bad);
}

TEST(DoctorDisk, a_read_only_file_system_is_bad_and_has_a_fix) {
  DiskRoom disk = room(4 * kGiB, 4 * kGiB);
  disk.read_only = true;
  const auto found = disk_finding(disk, "/d", ResourceSettings{});
  EXPECT_EQ(found.mark, Mark::bad);
  EXPECT_NE(found.fix.find("remount"), std::string::npos);
}

TEST(DoctorDisk, inodes_count_where_the_file_system_has_them) {
  DiskRoom disk = room(kGiB, kGiB);
  disk.inodes_total = 10'000;
  const auto mark = [&](std::uint64_t free) {
    disk.inodes_free = free;
    return inode_finding(disk, "/d").mark;
  };
  EXPECT_EQ(mark(500), Mark::fine);
  EXPECT_EQ(mark(499), Mark::warn);
  EXPECT_EQ(mark(100), Mark::warn);
  EXPECT_EQ(mark(99), Mark::bad);
  disk.inodes_total = 0;
  EXPECT_EQ(mark(0), Mark::fine);
}

TEST(DoctorMachine, a_hot_board_without_stall_figures_is_told_of) {
  const Folder root;
  root.write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
  root.write("sys/class/thermal/thermal_zone0/temp", "78000\n");
  root.write("sys/class/thermal/thermal_zone0/trip_point_0_temp", "80000\n");
  root.write("sys/class/thermal/thermal_zone0/trip_point_0_type", "passive\n");
  root.write("proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n");
  resources::Roots roots;
  roots.proc = root / "proc";
  roots.sys = root / "sys";
  roots.cgroup = root / "cgroup";
  roots.nvml = "";
  const auto found = machine_findings({4, 4 * kGiB, true}, roots, ResourceSettings{});
  EXPECT_EQ(of(found, "heat").mark, Mark::bad);
  EXPECT_NE(of(found, "heat").says.find("cpu-thermal at 78"), std::string::npos);
  EXPECT_EQ(of(found, "memory").mark, Mark::fine) << of(found, "memory").says;
  EXPECT_EQ(of(found, "stalls").mark, Mark::fine);
  EXPECT_EQ(of(found, "gpu").says, "none found");
}

TEST(DoctorChoice, says_which_profile_auto_chose_and_why) {
  config::Loaded loaded;
  loaded.profile = "sbc";
  loaded.settings.profile = "auto";
  loaded.origin["cache.size_max"] = "mainstay.toml:3";
  const auto found = choice_findings(loaded, {4, 2 * kGiB, true});
  EXPECT_NE(of(found, "profile").says.find("sbc, chosen by auto: 4 cores, 2048 MiB"),
            std::string::npos)
      << of(found, "profile").says;
  const std::string chosen = of(found, "chosen").says;
  EXPECT_NE(chosen.find("storage.readers = 2"), std::string::npos);
  EXPECT_EQ(chosen.find("cache.size_max"), std::string::npos) << "the user chose that one";
}

TEST(DoctorSetup, secrets_that_others_may_read_are_bad_and_the_fix_names_them) {
  const Folder data;
  data.write("admin.key", "secret");
  config::Loaded loaded;
  loaded.settings.server.listen = "127.0.0.1:0";
  ::chmod((data / "admin.key").c_str(), 0600);
  EXPECT_EQ(of(setup_findings(loaded, data.path()), "secrets").mark, Mark::fine);
  ::chmod((data / "admin.key").c_str(), 0604);
  const auto found = of(setup_findings(loaded, data.path()), "secrets");
  EXPECT_EQ(found.mark, Mark::bad);
  EXPECT_NE(found.fix.find("chmod 600 " + (data / "admin.key")), std::string::npos) << found.fix;
  ::chmod((data / "admin.key").c_str(), 0600);
  ::chmod(data.path().c_str(), 0777);
  EXPECT_EQ(of(setup_findings(loaded, data.path()), "secrets").mark, Mark::bad);
}

TEST(DoctorSetup, a_missing_data_directory_is_fine_where_it_can_be_made) {
  const Folder parent;
  config::Loaded loaded;
  loaded.settings.server.listen = "127.0.0.1:0";
  EXPECT_EQ(of(setup_findings(loaded, parent / "a/b"), "data").mark, Mark::fine);
  EXPECT_FALSE(fs::exists(parent / "a")) << "doctor makes nothing";
  parent.write("file", "");
  EXPECT_EQ(of(setup_findings(loaded, parent / "file"), "data").mark, Mark::bad);
  EXPECT_EQ(of(setup_findings(loaded, parent / "file/x"), "data").mark, Mark::bad);
}

TEST(DoctorSetup, a_port_that_cannot_be_used_is_bad) {
  const Folder data;
  config::Loaded loaded;
  loaded.settings.server.listen = "203.0.113.7:8080";  // no address of this machine
  const auto found = of(setup_findings(loaded, data.path()), "port");
  EXPECT_EQ(found.mark, Mark::bad);
  EXPECT_NE(found.fix.find("server.listen"), std::string::npos);
}

class DoctorDatabase : public testing::Test {
 protected:
  std::unique_ptr<storage::Stores> open() {
    auto stores = open_stores(Settings{}, data_.path(), clock_, random_, *log_, metrics_);
    EXPECT_TRUE(stores.ok());
    return stores.ok() ? std::move(*stores) : nullptr;
  }
  void SetUp() override {
    LogSettings quiet;
    quiet.sink = "none";
    log_ = std::move(*Log::open(quiet, clock_));
  }
  Folder data_;
  RealClock clock_;
  RealRandom random_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
};

TEST_F(DoctorDatabase, nothing_is_there_then_sound_files_then_a_server_uses_them) {
  EXPECT_EQ(of(database_findings(data_.path(), clock_), "database").says, "none yet");
  auto stores = open();
  ASSERT_TRUE(stores);
  const auto busy = of(database_findings(data_.path(), clock_), "database");
  EXPECT_EQ(busy.mark, Mark::fine);
  EXPECT_NE(busy.says.find("in use"), std::string::npos);
  ASSERT_TRUE(stores->close().ok());
  stores.reset();
  const auto found = database_findings(data_.path(), clock_);
  ASSERT_GE(found.size(), 2u);
  for (const auto& one : found) EXPECT_EQ(one.mark, Mark::fine) << one.says;
}

TEST_F(DoctorDatabase, a_damaged_file_is_named_and_left_as_it_is) {
  auto stores = open();
  ASSERT_TRUE(stores->close().ok());
  stores.reset();
  const std::string path = data_ / "knowledge.db";
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(16'384);  // the second page
    file << std::string(2000, '\x5a');
  }
  std::ifstream before(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(before)), {});
  Findings found = database_findings(data_.path(), clock_);
  std::erase_if(found, [](const Finding& f) { return f.mark != Mark::bad; });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found.front().says.find("knowledge.db"), std::string::npos) << found.front().says;
  EXPECT_FALSE(found.front().fix.empty());
  std::ifstream after(path, std::ios::binary);
  EXPECT_EQ(bytes, std::string((std::istreambuf_iterator<char>(after)), {}));
}

TEST_F(DoctorDatabase, keys_are_looked_at_as_the_other_files_are) {
  auto stores = open();
  ASSERT_TRUE(stores->close().ok());
  stores.reset();
  const auto keys = [this] {
    for (const auto& one : database_findings(data_.path(), clock_)) {
      if (one.says.starts_with("keys.db")) return one;
    }
    return Finding{Mark::bad, "", "keys.db is not named", ""};
  };
  EXPECT_EQ(keys().mark, Mark::fine) << keys().says;
  {
    std::fstream file(data_ / "keys.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);  // the version, of four bytes
    file << std::string("\x00\x00\x03\xe7", 4);
  }
  EXPECT_EQ(keys().mark, Mark::bad) << "newer than this program";
  data_.write("keys.db", std::string(8192, '\x5a'));
  EXPECT_EQ(keys().mark, Mark::bad) << keys().says;
  EXPECT_FALSE(keys().fix.empty());
}

/// Takes connections; answers each with `reply` once something was sent.
class OneReply {
 public:
  explicit OneReply(std::string reply)
      : acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}), reply_(std::move(reply)) {
    thread_ = std::thread([this] {  // lint: thread a server beside the call that blocks
      asio::ip::tcp::socket peer(io_);
      boost::system::error_code failed;
      acceptor_.accept(peer, failed);
      std::array<char, 512> asked{};
      if (!failed) peer.read_some(asio::buffer(asked), failed);
      if (!failed) asio::write(peer, asio::buffer(reply_), failed);
    });
  }
  ~OneReply() { thread_.join(); }
  std::string url() const {
    return "redis://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/0";
  }

 private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  std::string reply_;
  std::thread thread_;  // lint: thread see above
};

TEST(DoctorRedis, the_address_and_what_answers_there_are_told) {
  Settings settings;
  EXPECT_TRUE(redis_findings(settings).empty()) << "none is configured";
  const auto found = [&](const std::string& url) {
    settings.storage.redis_url = url;
    return of(redis_findings(settings), "redis");
  };
  EXPECT_NE(found("foo").says.find("does not begin with redis://"), std::string::npos);
  EXPECT_EQ(found("redis://127.0.0.1:1/0").mark, Mark::bad);
  EXPECT_NE(found("redis://127.0.0.1:1/0").says.find("does not answer"), std::string::npos);
  const auto told = [&](const std::string& reply) {
    const OneReply server(reply);
    return found(server.url());
  };
  EXPECT_EQ(told("+PONG\r\n").mark, Mark::fine);
  const auto locked = told("-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(locked.mark, Mark::bad);
  EXPECT_NE(locked.says.find("password"), std::string::npos) << locked.says;
  EXPECT_EQ(told("HTTP/1.1 400 Bad Request\r\n\r\n").mark, Mark::bad);
}

TEST(DoctorTls, files_that_cannot_be_read_are_named) {
  Settings settings;
  EXPECT_TRUE(tls_findings(settings).empty()) << "TLS is off";
  settings.server.tls_certificate = "/nowhere/cert.pem";
  settings.server.tls_key = "/nowhere/key.pem";
  const auto found = of(tls_findings(settings), "tls");
  EXPECT_EQ(found.mark, Mark::bad);
  EXPECT_NE(found.says.find("/nowhere/cert.pem"), std::string::npos) << found.says;
}

TEST(SettingsCheck, addresses_and_files_that_a_start_would_refuse_are_named_by_their_setting) {
  Settings settings;
  EXPECT_TRUE(unusable_settings(settings).empty());
  const auto refused = [&] {
    std::string out;
    for (const auto& error : unusable_settings(settings)) {
      out += error.field + " ";
      EXPECT_EQ(exit_for(error), Exit::config) << error.message;
    }
    return out;
  };
  for (const char* url : {"foo", "rediss://x", "redis://h:99999/0", "redis://h/abc"}) {
    settings.storage.redis_url = url;
    EXPECT_EQ(refused(), "storage.redis_url ") << url;
  }
  settings.storage.redis_url = "redis://h:6379/0";
  EXPECT_EQ(refused(), "");
  settings.storage.postgres_url = Secret("foo");
  EXPECT_EQ(refused(), "storage.postgres_url ");
  settings.storage.postgres_url = Secret();
  settings.server.tls_certificate = "/nowhere/cert.pem";
  settings.server.tls_key = "/nowhere/key.pem";
  EXPECT_EQ(refused(), "server.tls_certificate ");
  settings.server = {};
  settings.upstream.ca_file = "/nowhere/ca.pem";
  settings.auth.jwt.public_key = "/nowhere/key.pem";
  settings.log.sink = "/nowhere/log";
  EXPECT_EQ(refused(), "upstream.ca_file auth.jwt.public_key log.sink ");
}

TEST(SettingsCheck, who_may_speak_wyoming_is_checked_when_it_listens) {
  Settings settings;
  settings.wyoming.allow = {"nonsense"};
  EXPECT_TRUE(unusable_settings(settings).empty());
  settings.wyoming.listen = "127.0.0.1:0";
  ASSERT_EQ(unusable_settings(settings).size(), 1u);
  EXPECT_EQ(unusable_settings(settings).front().field, "wyoming.allow");
  settings.wyoming.listen = "0.0.0.0:0";
  settings.wyoming.allow = {};
  ASSERT_EQ(unusable_settings(settings).size(), 1u);
  EXPECT_EQ(unusable_settings(settings).front().field, "wyoming.listen");
  EXPECT_EQ(exit_for(unusable_settings(settings).front()), Exit::config);
  settings.wyoming.allow = {"192.168.1.0/24"};
  EXPECT_TRUE(unusable_settings(settings).empty());
}

TEST(SettingsCheck, a_log_is_a_file_that_is_there_or_can_be_made) {
  Folder folder;
  folder.write("there/log", "");
  LogSettings log;
  for (const char* fine : {"there/log", "there/new"}) {
    log.sink = folder / fine;
    EXPECT_TRUE(check_log_sink(log).ok()) << fine;
  }
  EXPECT_FALSE(fs::exists(folder / "there/new")) << "a check makes nothing";
  for (const char* wrong : {"there", "missing/log", "there/log/log"}) {
    log.sink = folder / wrong;
    EXPECT_FALSE(check_log_sink(log).ok()) << wrong;
  }
}

}  // namespace
}  // namespace mainstay::app
