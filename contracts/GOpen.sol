// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {ERC20Wrapper} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Wrapper.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

/// @title gOPEN, wrapped OPEN that votes
/// @notice Power at an instant is `getPastVotes(voter, instant)`, in base units, on the timestamp clock
/// (seconds), so that a proposal's `opensAt` means the same on every chain. Power counts after delegation.
contract GOpen is ERC20, ERC20Permit, ERC20Votes, ERC20Wrapper {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev Wrapped tokens whose holder delegated to anybody: what can vote at all.
    Checkpoints.Trace208 private _totalDelegated;

    constructor(IERC20 open) ERC20("Governance OPEN", "gOPEN") ERC20Permit("Governance OPEN") ERC20Wrapper(open) {}

    /// @notice Seconds (ERC-6372), not blocks.
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @notice The part of the supply that was delegated at a past instant (seconds); a base for quorums
    /// that undelegated tokens cannot make unreachable.
    function getPastTotalDelegated(uint256 timepoint) external view returns (uint256) {
        return _totalDelegated.upperLookupRecent(_validateTimepoint(timepoint));
    }

    function decimals() public view override(ERC20, ERC20Wrapper) returns (uint8) {
        return super.decimals();
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }

    /// @dev Every mint, burn, transfer and delegation comes through here with the delegates of both sides;
    /// the zero address stands for "delegated to nobody".
    function _moveDelegateVotes(address from, address to, uint256 amount) internal override {
        super._moveDelegateVotes(from, to, amount);
        if (amount == 0 || (from == address(0)) == (to == address(0))) return;
        uint208 units = SafeCast.toUint208(amount);
        uint208 before = _totalDelegated.latest();
        _totalDelegated.push(clock(), from == address(0) ? before + units : before - units);
    }
}
