// Lets a fuzz target hand bytes to a private member function that reads messages, in place of a
// process that would have to be started for each input.
//
//     namespace epe::fuzz {
//     struct Handle { using Type = void (Session::*)(Frame&); friend Type member(Handle); };
//     template struct PrivateMember<Handle, &Session::handle>;
//     }
//     (session.*member(epe::fuzz::Handle()))(frame);
#pragma once

namespace epe::fuzz {

/// An explicit instantiation may name private members; the friend hands out what it was given.
template <typename Tag, typename Tag::Type kMember>
struct PrivateMember {
    friend typename Tag::Type member(Tag) { return kMember; }
};

}  // namespace epe::fuzz
