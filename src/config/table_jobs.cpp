// Rows of [jobs] and [idempotency]: keys, bounds and sentences. Defaults are those of settings.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kJobs = &Settings::jobs;
using Jobs = JobSettings;
constexpr auto kLaunch = &Settings::launch;
using Launch = LaunchSettings;
constexpr auto kKeyed = &Settings::idempotency;
using Keyed = IdempotencySettings;
constexpr auto kFiles = &Settings::files;
using FileSet = FileSettings;
constexpr auto kBatches = &Settings::batches;
using BatchSet = BatchSettings;
using JobEvents = JobEventSettings;
using Webhooks = JobWebhookSettings;

constexpr std::array kRows = {
    row<kJobs, &Jobs::workers>("jobs.workers", {0, 1024},
                               "Jobs that run at once; 0: two for each core."),
    choice<kJobs, &Jobs::runs>(
        "jobs.runs", "all|own|shared",
        "Jobs that this process takes, where Redis holds them: own needs its data, shared does "
        "not."),
    row<kJobs, &Jobs::lease>("jobs.lease", {100, kHour},
                             "Silence of a worker after which its job is given to another one."),
    row<kJobs, &Jobs::poll>("jobs.poll", {100, kHour},
                            "Longest wait of one request for work; a new job ends it at once."),
    row<kJobs, &Jobs::attempts_max>("jobs.attempts_max", {1, 100},
                                    "Attempts of a job that names no number, and the most one may "
                                    "name."),
    row<kJobs, &Jobs::backoff_min>("jobs.backoff_min", kTimeout,
                                   "Shortest wait before a failed job is tried again."),
    row<kJobs, &Jobs::backoff_max>(
        "jobs.backoff_max", kTimeout,
        "Longest wait before a failed job is tried again; the bound doubles up to it."),
    row<kJobs, &Jobs::timeout>("jobs.timeout", kTimeout, "Time for one attempt of a job."),
    row<kJobs, &Jobs::keep_results>("jobs.keep_results", {1000, 365 * kDay},
                                    "How long ended jobs and their results are kept."),
    row<kJobs, &Jobs::keep_dead>("jobs.keep_dead", {1000, 365 * kDay},
                                 "How long jobs that were given up are kept for a retry by hand."),
    row<kJobs, &Jobs::keep_keys>(
        "jobs.keep_keys", {1000, 365 * kDay},
        "How long an Idempotency-Key is remembered; never less than its job."),
    row<kJobs, &Jobs::depth_high>("jobs.depth_high", kCount,
                                  "Unfinished jobs; when there are so many, new ones are refused."),
    row<kJobs, &Jobs::depth_low>(
        "jobs.depth_low", kCount,
        "After depth_high was reached, jobs are accepted again when fewer than this are left."),
    row<kJobs, &Jobs::poison_after>(
        "jobs.poison_after", {1, 100},
        "Workers in a row that may vanish with a job before it is given up."),
    row<kJobs, &Jobs::input_max>("jobs.input_max", {kKiB, kGiB}, "Input of one job, as JSON."),
    row<kJobs, &Jobs::delay_max>("jobs.delay_max", {0, 365 * kDay},
                                 "How far ahead a job may be planned."),
    row<kJobs, &Jobs::repeat_min>("jobs.repeat_min", {1000, kDay},
                                  "Shortest time between two occurrences of a repeating job."),
    row<kJobs, &Jobs::give_back_time>(
        "jobs.give_back_time", {0, kHour},
        "Part of the time for a stop in which unfinished jobs are handed back."),
    row<kJobs, &Jobs::list_max>("jobs.list_max", {1, 1000}, "Jobs on one page of a list."),
    row<kJobs, &Jobs::events, &JobEvents::events_max>(
        "jobs.events.events_max", {1, 100'000},
        "Events kept of one job or user; the oldest go first."),
    row<kJobs, &Jobs::events, &JobEvents::bytes_max>("jobs.events.bytes_max", {kKiB, kGiB},
                                                     "Size of the events kept of one job or user."),
    row<kJobs, &Jobs::events, &JobEvents::topics_max>("jobs.events.topics_max", kCount,
                                                      "Jobs and users whose events are kept."),
    row<kJobs, &Jobs::events, &JobEvents::keep>(
        "jobs.events.keep", {1000, kDay}, "How long events are kept after a job's or user's last."),
    row<kJobs, &Jobs::events, &JobEvents::result_max>(
        "jobs.events.result_max", {0, 16 * kMiB},
        "Largest result that is part of the event of a job's end."),
    row<kJobs, &Jobs::events, &JobEvents::token_interval>(
        "jobs.events.token_interval", {0, 10'000},
        "Shortest time between two events with pieces of one answer."),
    row<kJobs, &Jobs::events, &JobEvents::recheck>(
        "jobs.events.recheck", {100, kHour},
        "Time between two looks at the record of a job whose end may not have been told."),
    row<kJobs, &Jobs::events, &JobEvents::followed_max>(
        "jobs.events.followed_max", {1, 10'000},
        "Unfinished jobs that one stream of events watches."),
    text<kJobs, &Jobs::webhooks, &Webhooks::secret>(
        "jobs.webhooks.secret", Form::any,
        "Secret that signs webhooks: whsec_ and base64; empty: jobs may not name a webhook.",
        {0, 1024}),
    row<kJobs, &Jobs::webhooks, &Webhooks::allow>(
        "jobs.webhooks.allow", {0, 1000},
        "Hosts that webhooks may reach at private addresses; all public ones are allowed."),
    row<kJobs, &Jobs::webhooks, &Webhooks::timeout>("jobs.webhooks.timeout", kTimeout,
                                                    "Time for one delivery of a webhook."),
    row<kJobs, &Jobs::webhooks, &Webhooks::attempts_max>("jobs.webhooks.attempts_max", {1, 100},
                                                         "Deliveries of one webhook tried."),
    row<kJobs, &Jobs::webhooks, &Webhooks::backoff_min>(
        "jobs.webhooks.backoff_min", kTimeout,
        "Shortest wait before a webhook is delivered again."),
    row<kJobs, &Jobs::webhooks, &Webhooks::backoff_max>(
        "jobs.webhooks.backoff_max", kTimeout,
        "Longest wait before a webhook is delivered again; the bound grows fourfold up to it."),
    row<kJobs, &Jobs::webhooks, &Webhooks::result_max>("jobs.webhooks.result_max", {0, 16 * kMiB},
                                                       "Largest result that a webhook carries."),
    row<kJobs, &Jobs::webhooks, &Webhooks::look_after>(
        "jobs.webhooks.look_after", {1000, kDay},
        "Time after which a job with a webhook is looked at whose end was not reported."),

    row<kLaunch, &Launch::worker_processes>(
        "launch.worker_processes", {0, 64},
        "Worker processes beside the web process; without Redis there are none."),
    row<kLaunch, &Launch::restarts_max>(
        "launch.restarts_max", {0, 100},
        "Restarts of one process in restart_window; at its next end it is given up."),
    row<kLaunch, &Launch::restart_window>("launch.restart_window", {1000, kDay},
                                          "Time in which restarts_max restarts are granted."),
    row<kLaunch, &Launch::backoff_min>("launch.backoff_min", kTimeout,
                                       "Shortest wait before a process is started again."),
    row<kLaunch, &Launch::backoff_max>(
        "launch.backoff_max", kTimeout,
        "Longest wait before a process is started again; the bound doubles up to it."),
    row<kLaunch, &Launch::heartbeat>("launch.heartbeat", {100, kHour},
                                     "Longest time between two signs of life of a process."),
    row<kLaunch, &Launch::missed_max>(
        "launch.missed_max", {1, 100},
        "Signs of life in a row that may be missed; then a process hangs and is replaced."),
    row<kLaunch, &Launch::stuck_after>(
        "launch.stuck_after", {1000, kHour},
        "Time after which a process is replaced that lives while an event loop of it does not."),
    row<kLaunch, &Launch::start_timeout>("launch.start_timeout", {1000, kHour},
                                         "Time that a process may take until it is ready."),

    row<kKeyed, &Keyed::keep>("idempotency.keep", {1000, 365 * kDay},
                              "How long the reply to a request with an Idempotency-Key is kept."),
    row<kKeyed, &Keyed::reply_max>(
        "idempotency.reply_max", {kKiB, 64 * kMiB},
        "Largest reply that is kept; a larger one cannot be given again."),
    row<kKeyed, &Keyed::owner_entries_max>("idempotency.owner_entries_max", kCount,
                                           "Replies kept of one user; the oldest go first."),
    row<kKeyed, &Keyed::owner_bytes_max>("idempotency.owner_bytes_max", {kKiB, 64 * kGiB},
                                         "Size of the replies kept of one user."),
    row<kKeyed, &Keyed::entries_max>("idempotency.entries_max", {1, 100'000'000},
                                     "Replies kept of all users; the oldest go first."),
    row<kKeyed, &Keyed::bytes_max>("idempotency.bytes_max", {kKiB, 1024 * kGiB},
                                   "Size of the replies kept of all users."),

    row<kFiles, &FileSet::size_max>("files.size_max", {kKiB, 64 * kGiB}, "Size of one file."),
    row<kFiles, &FileSet::owner_entries_max>("files.owner_entries_max", kCount,
                                             "Files of one user."),
    row<kFiles, &FileSet::owner_bytes_max>("files.owner_bytes_max", {kKiB, 1024 * kGiB},
                                           "Size of all files of one user."),
    row<kFiles, &FileSet::keep>("files.keep", {1000, 3650 * kDay},
                                "How long a file is kept that names no time of its own."),

    row<kBatches, &BatchSet::requests_max>("batches.requests_max", kCount,
                                           "Requests in one batch."),
    row<kBatches, &BatchSet::line_max>("batches.line_max", {kKiB, 64 * kMiB},
                                       "Size of one line of a batch's input."),
    row<kBatches, &BatchSet::owner_open_max>("batches.owner_open_max", kCount,
                                             "Unfinished batches of one user."),
    row<kBatches, &BatchSet::at_once>(
        "batches.at_once", {1, 1000},
        "Batches worked at; an owner with none begins beside them, up to twice as many."),
    row<kBatches, &BatchSet::outstanding>("batches.outstanding", {1, 10'000},
                                          "Jobs of one batch that wait or run at once."),
    row<kBatches, &BatchSet::recheck>(
        "batches.recheck", {1000, kHour},
        "Longest wait for news of a batch before its state is looked at again."),
    row<kBatches, &BatchSet::keep>("batches.keep", {1000, 3650 * kDay},
                                   "How long ended batches are listed, from when they were made."),

    row<&Settings::analysis, &AnalysisSettings::body_max>(
        "analysis.body_max", {kKiB, 1024 * kGiB},
        "Size of one text given to POST /v1/analyze; it is never whole in memory."),
    row<&Settings::analysis, &AnalysisSettings::at_once>("analysis.at_once", {1, 1000},
                                                         "Texts analysed at once; more are "
                                                         "refused. Each holds up to 14 MB."),
};

}  // namespace

std::span<const Row> job_rows() {
  return kRows;
}

}  // namespace mainstay::config
