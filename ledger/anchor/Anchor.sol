// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Roots of append-only logs that nobody can take back.
/// @notice A log is known by its sender and a salted hash of its name: strangers learn neither firm nor content.
contract Anchor {
    event Anchored(address indexed sender, bytes32 indexed originHash, uint64 size, bytes32 root);

    error EmptyRoot();
    error SecondRoot(uint64 size, bytes32 root);
    error SizeMustGrow(uint64 newest);

    /// @notice The largest size that a log anchored; 0 for none.
    mapping(address sender => mapping(bytes32 originHash => uint64 size)) public newest;

    /// @notice The root of a log at a size; 0 for none.
    mapping(address sender => mapping(bytes32 originHash => mapping(uint64 size => bytes32 root))) public rootAt;

    /// @notice Anchors the root of the sender's log at a size larger than all before.
    function anchor(bytes32 originHash, uint64 size, bytes32 root) external {
        bytes32 known = rootAt[msg.sender][originHash][size];
        uint64 largest = newest[msg.sender][originHash];
        if (root == 0) revert EmptyRoot();
        if (known != 0 && known != root) revert SecondRoot(size, known);
        if (size <= largest) revert SizeMustGrow(largest);
        newest[msg.sender][originHash] = size;
        rootAt[msg.sender][originHash][size] = root;
        emit Anchored(msg.sender, originHash, size, root);
    }
}
