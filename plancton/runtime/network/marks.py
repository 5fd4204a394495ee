"""Pilots' packets marked as lower effort, by an nftables table of our own.

The table is in the bridge family: there a packet still has the pilot's own port as its input, on
whatever bridge. It is only ever replaced or deleted as a whole, in one transaction.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFT_MSG_DELTABLE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
    NFTSocket,
    nft_chain_msg,
    nft_rule_msg,
    nft_set_elem_list_msg,
    nft_set_msg,
    nft_table_msg,
)
from pyroute2.nftables.expressions import genex
from pyroute2.nftables.main import NFTables

_BRIDGE = 7
"""NFPROTO_BRIDGE."""
_PREROUTING, _PRIORITY = 0, -200
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_IFINDEX_TYPE = 20
"""What nft calls ``iface_index``."""
_SET, _CHAIN = "pilots", "lower-effort"
_IIF, _EQUAL, _LINK_HEADER, _NETWORK_HEADER, _CHECKSUM_INET = 4, 0, 0, 1, 1

# RFC 8622: the code point of lower effort is 000001. It stands in the first 16 bits of both
# headers; the mask keeps the rest of them, and with it the bits of ECN.
_IPV4 = (b"\x08\x00", b"\xff\x03", b"\x00\x04")
_IPV6 = (b"\x86\xdd", b"\xf0\x3f", b"\x00\x40")


class LowerEffort:
    """The table of one instance."""

    def __init__(self, table: str) -> None:
        """Use the name *table*."""
        self.table = table
        self.marked: frozenset[int] | None = None
        """Interfaces whose packets are; None: nobody has looked yet."""

    def mark(self, ports: Iterable[int]) -> None:
        """Mark what comes in by the interfaces of these indexes, and nothing else.

        Raises OSError or NetlinkError.
        """
        wanted = frozenset(ports)
        if not wanted and self.marked == wanted:
            return
        with NFTables(nfgen_family=_BRIDGE) as socket:
            there = self._is_there(socket)
            if wanted == (self.marked if there else frozenset()):
                return
            self.marked = None
            messages = [self._message(nft_table_msg, NFT_MSG_DELTABLE, name=self.table)]
            socket.nlm_request_batch(
                _transaction([*messages[: int(there)], *(self._rules(wanted) if wanted else ())])
            )
            self.marked = wanted

    def _is_there(self, socket: NFTSocket) -> bool:
        return self.table in {each.get_attr("NFTA_TABLE_NAME") for each in socket.get_tables()}

    def _rules(self, ports: frozenset[int]) -> list[Any]:
        table = self.table
        hook = {
            "attrs": [
                ("NFTA_HOOK_HOOKNUM", _PREROUTING),
                ("NFTA_HOOK_PRIORITY", _PRIORITY),
            ]
        }
        elements = [
            {"attrs": [("NFTA_SET_ELEM_KEY", {"attrs": [("NFTA_DATA_VALUE", _native(port))]})]}
            for port in sorted(ports)
        ]
        message = self._message
        return [
            message(nft_table_msg, NFT_MSG_NEWTABLE, name=table),
            message(
                nft_set_msg,
                NFT_MSG_NEWSET,
                table=table,
                name=_SET,
                flags=(),
                key_type=_IFINDEX_TYPE,
                key_len=4,
                id=1,
                userdata=(("NFTNL_UDATA_SET_KEYBYTEORDER", _native(1)),),
            ),
            message(
                nft_set_elem_list_msg,
                NFT_MSG_NEWSETELEM,
                table=table,
                set=_SET,
                elements=elements,
            ),
            message(
                nft_chain_msg, NFT_MSG_NEWCHAIN, table=table, name=_CHAIN, hook=hook, type="filter"
            ),
            *(
                message(
                    nft_rule_msg,
                    NFT_MSG_NEWRULE,
                    table=table,
                    chain=_CHAIN,
                    expressions=_expressions(*header),
                )
                for header in (_IPV4, _IPV6)
            ),
        ]

    @staticmethod
    def _message(kind: Any, number: int, **attributes: Any) -> Any:
        message = kind()
        message["attrs"] = [(kind.name2nla(name), each) for name, each in attributes.items()]
        message["header"]["type"] = NFNL_SUBSYS_NFTABLES << 8 | number
        message["header"]["flags"] = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK
        message["nfgen_family"] = _BRIDGE
        return message


def _transaction(messages: list[Any]) -> list[Any]:
    """Put messages between the two that make the kernel take all of them or none."""
    ends = []
    for kind in (_BATCH_BEGIN, _BATCH_END):
        end = nfgen_msg()
        end["res_id"] = NFNL_SUBSYS_NFTABLES
        end["header"]["type"] = kind
        end["header"]["flags"] = NLM_F_REQUEST
        ends.append(end)
    return [ends[0], *messages, ends[1]]


def _expressions(protocol: bytes, mask: bytes, mark: bytes) -> list[Any]:
    """Return: input is one of the ports, the header is of *protocol*; then set the mark."""
    first_bits = {"base": _NETWORK_HEADER, "offset": 0, "len": 2}
    checksum = {"csum_type": _CHECKSUM_INET, "csum_offset": 10} if protocol == _IPV4[0] else {}
    return [
        genex("meta", {"key": _IIF, "dreg": 1}),
        genex("lookup", {"sreg": 1, "set": _SET, "set_id": 1}),
        genex("payload", {"dreg": 1, "base": _LINK_HEADER, "offset": 12, "len": 2}),
        genex("cmp", {"sreg": 1, "op": _EQUAL, "data": _data(protocol)}),
        genex("payload", {"dreg": 1, **first_bits}),
        genex("bitwise", {"sreg": 1, "dreg": 1, "len": 2, "mask": _data(mask), "xor": _data(mark)}),
        genex("payload", {"sreg": 1, **first_bits, **checksum}),
    ]


def _data(value: bytes) -> Any:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def _native(index: int) -> bytes:
    return struct.pack("=I", index)
