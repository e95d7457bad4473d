// The world of the api with a desk for jobs that nobody runs: tests play the worker.
// Used by the tests of the job endpoints and of the OpenAPI document.
#pragma once

#include <stdlib.h>

#include <filesystem>

#include "jobs/batches.h"
#include "jobs/desk.h"
#include "storage/shelf.h"
#include "unit/api/world.h"

namespace mainstay::api::test {

/// Takes any object without a member "bad".
class IdleKind final : public jobs::Kind {
 public:
  explicit IdleKind(std::string name) : name_(std::move(name)) {
    limits_.timeout = 1h;
    limits_.lease = 1h;
  }
  std::string_view name() const noexcept override { return name_; }
  const jobs::KindLimits& limits() const noexcept override { return limits_; }
  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    if (!input.contains("bad")) return dump(input);
    return Error::say(Errc::invalid, "invalid_value", "It is bad.", "input.bad");
  }
  Co<Result<jobs::Outcome>> run(jobs::Run&, Deadline) override { co_return jobs::Outcome{}; }

 private:
  std::string name_;
  jobs::KindLimits limits_;
};

struct JobWorld : World {
  JobWorld() { kinds.add(std::make_unique<IdleKind>("slow")); }
  ~JobWorld() {
    std::error_code ignored;
    if (!folder.empty()) std::filesystem::remove_all(folder, ignored);
  }
  void prepare() {
    if (desk_of_jobs) return;
    open();
    desk_of_jobs.emplace(settings, clock, random, *log, *admission, kinds, stores->jobs(),
                         stores->signal());
    rooms->jobs = &*desk_of_jobs;
  }
  /// Files and batches too, in a folder of their own.
  void prepare_files() {
    prepare();
    std::string form = "/tmp/mainstay-files-XXXXXX";
    folder = ::mkdtemp(form.data());
    auto opened = storage::Shelf::open(folder, pool, clock);
    ASSERT_TRUE(opened.ok());
    shelf = std::move(*opened);
    batches.emplace(settings.batches, clock, random, *stores);
    rooms->shelf = shelf.get();
    rooms->batches = &*batches;
  }
  static Sent upload(const std::string& content) {
    const std::string part = "--cut\r\nContent-Disposition: form-data; name=";
    Sent sent = post("/v1/files", part + "\"purpose\"\r\n\r\nbatch\r\n" + part +
                                      "\"file\"; filename=\"lines.jsonl\"\r\n"
                                      "Content-Type: application/jsonl\r\n\r\n" +
                                      content + "\r\n--cut--\r\n");
    sent.headers = {{"content-type", "multipart/form-data; boundary=cut"}};
    return sent;
  }
  /// A key of this user.
  std::string key(std::string user, admission::Scopes scopes = {admission::Scope::jobs},
                  std::string tenant = "default") {
    prepare();
    admission::KeyWishes wishes;
    wishes.name = "key " + std::to_string(list.keys.size());
    wishes.tenant = std::move(tenant);
    wishes.user = std::move(user);
    wishes.scopes = scopes;
    auto made = admission::make_key(std::move(wishes), clock);
    EXPECT_TRUE(made.ok());
    list.keys.push_back(made->row);
    ++list.generation;
    admission->identity().accept(list);
    return made->text;
  }
  static Sent with_key(Sent sent, const std::string& key) {
    return sent.with("authorization", "Bearer " + key);
  }
  static Sent method(std::string method, std::string target) {
    Sent sent = get(std::move(target));
    sent.method = std::move(method);
    return sent;
  }
  /// Hands a job in as the local user, or with a key; gives its id.
  std::string submit(const std::string& more = "", const std::string& as = "") {
    prepare();
    Sent sent = post("/v1/jobs", R"({"kind":"slow")" + more + "}");
    if (!as.empty()) sent = with_key(std::move(sent), as);
    auto reply = serve(std::move(sent));
    EXPECT_EQ(reply->status, 202) << reply->body;
    return reply->status == 202 ? json(reply->body)["id"].get<std::string>() : "none";
  }
  template <class T>
  T run(Co<T> work) {
    mainstay::Outcome<T> out;
    start(io, std::move(work), out);
    for (int i = 0; i < 100 && !out.done; ++i) clock.advance(0s);
    EXPECT_TRUE(out.done && out.value);
    return std::move(*out.value);
  }
  /// The attempt of the one job that is ready.
  storage::Lease claim() {
    storage::Claim claim;
    claim.worker = "w1";
    claim.lease = 1h;
    auto got = run(stores->jobs().claim(std::move(claim), Deadline(clock.now())));
    EXPECT_TRUE(got.ok() && got->size() == 1);
    return got.ok() && !got->empty() ? got->front().lease : storage::Lease{};
  }
  void complete(const std::string& result) {
    auto lease = claim();
    EXPECT_TRUE(run(stores->jobs().complete(lease, result, {}, Deadline::in(clock, 1s))).ok());
  }
  void give_up() {
    auto lease = claim();
    storage::JobFailure failure{"too_hard", "It was too hard."};
    EXPECT_TRUE(
        run(stores->jobs().fail(lease, failure, std::nullopt, Deadline::in(clock, 1s))).ok());
  }

  storage::AccessList list;
  jobs::Kinds kinds;
  std::optional<jobs::Desk> desk_of_jobs;
  std::string folder;
  std::unique_ptr<storage::Shelf> shelf;
  std::optional<jobs::BatchDesk> batches;
};

}  // namespace mainstay::api::test
