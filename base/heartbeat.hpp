#pragma once
// Signs of life from long local work in rooms that do not know who watches: file loops beat, the runtime listens.

namespace tenfold {

/// Who hears the beats of this process; null: nobody.
struct Listener {
  void (*hear)(void* context) = nullptr;
  void* context = nullptr;
};
inline Listener heartbeat_listener;

/// For loops that may take long, once a round, on the main thread.
inline void heartbeat() {
  if (heartbeat_listener.hear != nullptr) heartbeat_listener.hear(heartbeat_listener.context);
}

}  // namespace tenfold
