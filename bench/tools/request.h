// The chat request that the bench tools send. Used by load.cpp and crowd.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::bench {

/// The request; its 16-digit number inside the user's message is overwritten for each one.
class Request {
 public:
  /// A GET without a body.
  Request(const std::string& path, const std::vector<std::string>& headers) {
    text_ = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench/1\r\n";
    for (const auto& header : headers) text_ += header + "\r\n";
    text_ += "\r\n";
    user_at_ = text_.find("user-00");
  }
  Request(const std::string& path, const std::vector<std::string>& headers, bool stream) {
    std::string body =
        R"({"model":"m","messages":[{"role":"system","content":"You are the assistant of )"
        R"(a plant. Answer in at most three sentences and name the section of the manual )"
        R"(that you rely on. If the manual does not say, say )"
        R"(so."},{"role":"user","content":"Request 0000000000000000: the pump in the )"
        R"(north hall shows a pressure of four bar although the valve is closed. May I )"
        R"(open the valve, or must the pump be switched off first? Please also say how )"
        R"(long I have to wait and what belongs in the )"
        R"(log."}],"temperature":0.2,"max_tokens":256,"user":"bench")";
    body += stream ? R"(,"stream":true})" : "}";
    text_ = "POST " + path +
            " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            "Accept: application/json\r\nUser-Agent: bench/1\r\n";
    for (const auto& header : headers) text_ += header + "\r\n";
    text_ += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    number_at_ = text_.find("0000000000000000");
    user_at_ = text_.find("user-00");
  }
  /// Writes the sender's number (two digits) over the "00" of "user-00" in a header, if any.
  void from(unsigned user) noexcept {
    if (user_at_ == std::string::npos) return;
    text_[user_at_ + 5] = static_cast<char>('0' + user / 10 % 10);
    text_[user_at_ + 6] = static_cast<char>('0' + user % 10);
  }
  void next() noexcept {
    if (number_at_ == std::string::npos) return;
    auto number = ++number_;
    for (std::size_t i = 16; i-- > 0; number /= 10) {
      text_[number_at_ + i] = static_cast<char>('0' + number % 10);
    }
  }
  /// Starts counting elsewhere, so that two runs against one server never repeat a body.
  void start_at(std::uint64_t number) noexcept { number_ = number; }
  std::string_view text() const noexcept { return text_; }

 private:
  std::string text_;
  std::size_t number_at_ = std::string::npos;
  std::size_t user_at_ = std::string::npos;
  std::uint64_t number_ = 0;
};

}  // namespace mainstay::bench
