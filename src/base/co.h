// Coroutine vocabulary: Co<T>, the executor, the completion token, and how to start one.
// Used by every room that waits. One io_context per core; a coroutine never changes thread.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace mainstay {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;

/// A coroutine that runs on one io_context. Parameters by value, or references to objects that
/// outlive it; never string_view or span (tests/lint checks).
template <class T = void>
using Co = asio::awaitable<T, Executor>;

/// Completion token: the awaited result is a tuple that starts with the error_code; nothing throws,
/// except that the next operation after a cancellation throws operation_aborted. What an operation
/// given this token returns is awaited at once (use_awaitable would make a coroutine of it first).
inline constexpr auto use_co = asio::as_tuple(asio::deferred);

using boost::system::error_code;

}  // namespace mainstay
