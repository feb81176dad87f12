// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Example: a contract that believes a passkey, by the P-256 precompile (RIP-7212, EIP-7951).
contract PasskeyExample {
    uint256 constant HALF_ORDER = 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8;

    /// @notice Whether the key (x, y) signed; WebAuthn signs over authenticatorData || SHA-256(clientDataJSON).
    function isSigned(
        bytes calldata authenticatorData,
        bytes calldata clientDataJSON,
        uint256 r,
        uint256 s,
        uint256 x,
        uint256 y
    ) external view returns (bool) {
        if (s > HALF_ORDER) return false;
        bytes32 hash = sha256(abi.encodePacked(authenticatorData, sha256(clientDataJSON)));
        (bool done, bytes memory answer) = address(0x100).staticcall(abi.encode(hash, r, s, x, y));
        return done && answer.length == 32 && abi.decode(answer, (uint256)) == 1;
    }
}
