// The pieces of the Lua scripts. Used by scripts.cpp alone.
#pragma once

#include <string_view>

namespace mainstay::storage::redis {

// Shared by all scripts of the job store, in this order.
extern const std::string_view kLife;    ///< arguments, time, counts, making and ending jobs
extern const std::string_view kLanes;   ///< the order of ready jobs
extern const std::string_view kTimers;  ///< due times, leases, expiry

// One for each verb.
extern const std::string_view kSubmit;
extern const std::string_view kClaim;
extern const std::string_view kComplete;
extern const std::string_view kFail;
extern const std::string_view kGiveBack;
extern const std::string_view kExtend;
extern const std::string_view kCancel;
extern const std::string_view kRetry;
extern const std::string_view kGet;
extern const std::string_view kList;
extern const std::string_view kErase;
extern const std::string_view kUpkeep;
extern const std::string_view kFigures;
extern const std::string_view kHold;
extern const std::string_view kRelease;

// Signal's: what both share, and each.
extern const std::string_view kNews;
extern const std::string_view kTell;
extern const std::string_view kHear;

}  // namespace mainstay::storage::redis
