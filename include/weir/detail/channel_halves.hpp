// SPDX-License-Identifier: MIT
#pragma once
// What a channel, or a half of it, may be used for, as a constraint of the words that take one.

#include <concepts>
#include <type_traits>

namespace weir {

template <class T>
class sender;
template <class T>
class receiver;

namespace detail {

/// The value type of anything that can be received from / sent to.
template <class Ch>
using value_type_of = typename std::remove_cvref_t<Ch>::value_type;

/// A channel, or its receiving half: not a sender.
template <class Ch>
concept receivable =
    std::convertible_to<const std::remove_cvref_t<Ch>&, receiver<value_type_of<Ch>>>;
/// A channel, or its sending half: not a receiver, nor what a context, a timer or a future gives.
template <class Ch>
concept sendable = std::convertible_to<const std::remove_cvref_t<Ch>&, sender<value_type_of<Ch>>>;

}  // namespace detail
}  // namespace weir
