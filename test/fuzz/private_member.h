// Lets a fuzz target pass bytes to a private member function that reads messages, instead of
// starting a process for each input.
//
//     namespace epe::fuzz {
//     struct Handle { using Type = void (Session::*)(Frame&); friend Type member(Handle); };
//     template struct PrivateMember<Handle, &Session::handle>;
//     }
//     (session.*member(epe::fuzz::Handle()))(frame);
#pragma once

namespace epe::fuzz {

/// An explicit instantiation may name private members; the friend function returns its argument.
template <typename Tag, typename Tag::Type kMember>
struct PrivateMember {
    friend typename Tag::Type member(Tag) { return kMember; }
};

}  // namespace epe::fuzz
