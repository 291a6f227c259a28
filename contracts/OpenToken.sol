// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title OPEN, the plain token of a stage that has no token of its own
/// @notice The whole supply goes to the deployer. A stage with an existing ERC-20 leaves this contract out.
contract OpenToken is ERC20 {
    /// @notice One billion OPEN in base units (18 decimals).
    uint256 public constant INITIAL_SUPPLY = 1_000_000_000 ether;

    constructor() ERC20("OpenLedger", "OPEN") {
        _mint(msg.sender, INITIAL_SUPPLY);
    }
}
