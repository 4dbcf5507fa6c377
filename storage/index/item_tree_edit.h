// ItemEditor: the writing half of the item tree, bound to a line and a flavour. Nothing outside it
// includes this. item_tree_write.cpp puts items in, item_tree_erase.cpp takes them out.
//
// Pages are edited as bytes: one item of a leaf is replaced by another (either may be nothing), and
// whatever no longer fits its page is laid out anew.
#pragma once

#include "storage/index/item_tree_leaf.h"

namespace verso::storage {

class ItemEditor {
 public:
  ItemEditor(Line& line, ItemFlavour flavour)
      : line_(line),
        arena_(line.arena()),
        flavour_(flavour),
        key_bytes_(ItemKeyBytes(flavour)),
        child_bytes_(ItemChildBytes(flavour)) {}

  // Inserts at the place the path names; the path is of this root (any, if the root is null).
  void Insert(Ref* root_slot, const ItemPath& path, const Item& item);
  // The item at the place gets another payload.
  void Replace(Ref* root_slot, const ItemPath& path, ByteView bytes);
  // Requires: 0 < count, from + count <= the count.
  void Erase(Ref* root_slot, uint64_t from, uint64_t count);

 private:
  // A page that a split made, to be put behind the page that was split.
  struct Sibling {
    Ref page;  // null: there was no split
    uint64_t count = 0;
    ItemSeparator separator{};
  };
  // What takes the place of `removed` bytes (0: inserts) in a leaf.
  struct Edit {
    const ItemPath& path;
    ByteView item;  // encoded
    size_t removed = 0;
  };
  struct Encoded {
    size_t size = 0;
    char bytes[kItemBytesMax];
  };

  void Encode(const Item& item, Encoded* encoded);

  // Applies the edit below *slot, a page in a writable page, `depth` pages below the root.
  Sibling EditBelow(Ref* slot, const Edit& edit, int depth);
  Sibling EditLeaf(Ref* slot, const Edit& edit);
  Sibling SplitLeaf(Ref* slot, const Edit& edit);
  Sibling InsertChild(Ref* slot, size_t at, const Sibling& child, const ItemPath& path);
  void GrowRoot(Ref* root_slot, const Sibling& right);

  void EraseBelow(Ref* slot, uint64_t from, uint64_t count);
  void EraseFromLeaf(Ref* slot, size_t from, size_t count);
  void EraseFromInner(Ref* slot, uint64_t from, uint64_t count);
  // Takes children out of a page that is writable; the total stays.
  void RemoveChildren(Ref* slot, size_t from, size_t count);
  // Joins children left and left + 1 of the writable page at *slot if both fit well into one (I4).
  bool Join(Ref* slot, size_t left);
  Ref JoinLeaves(const Ref& left, const Ref& right);
  Ref JoinInner(const ItemChild& left, const ItemChild& right);
  bool IsSmall(const Ref& ref) const;

  // A new leaf of `count` items made of three pieces that lie one behind the other.
  Ref NewLeaf(size_t count, ByteView first, ByteView second = {}, ByteView third = {});
  // A new inner page with these children; the total is their sum.
  Ref NewInner(const char* children, size_t count, uint16_t aux);
  ItemSeparator FirstSeparator(const Ref& leaf) const;
  void Replaced(Ref* slot, const Ref& ref) {
    line_.Drop(*slot);
    *slot = ref;
  }
  ByteView LeafBytes(const char* leaf, size_t from, size_t to) const {
    return ByteView(leaf + from, to - from);
  }

  Line& line_;
  const PageArena& arena_;
  const ItemFlavour flavour_;
  const size_t key_bytes_;
  const size_t child_bytes_;
};

// A payload's reference out of its leaf.
inline Ref PayloadRef(const char* item, size_t key_bytes) {
  return LoadLe<Ref>(item + key_bytes + 1);
}

}  // namespace verso::storage
